"""Guardrail scans (2.13): a conversation, against rulesets that the request names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field

from guard.central.compat.rime.answers import entities_of, techniques_of
from guard.central.compat.rime.config import Config, Injection, Pii, Toxicity, Wire, refused
from guard.central.compat.rime.entities import default_entities
from guard.central.compat.rime.rules import Check, injection, pii, toxicity
from guard.central.compat.rime.run import Finding, Sided
from guard.errors import Invalid
from guard.metrics import Message, Side, Turn
from guard.metrics.turn import TOOL_ROLES, read_message

#: The rulesets that Guard has metrics for.
RULESETS = ("PROMPT_INJECTION", "PII", "PCI", "TOXICITY")
SAFE, UNSAFE = "safe", "unsafe"


class Named(Wire):
    """A ruleset to scan against."""

    name: str


class Scan(Wire):
    """What to scan: `query` is the conversation, `response` the answer, each as the JSON of the model's API, or text.

    Definitions of `tools` are taken, and not read.
    """

    query: str | None = None
    response: str | None = None
    ruleset_types: Annotated[list[Named], Field(min_length=1, max_length=20)]
    firewall_instance_id: Any = None
    language: str | None = None
    tools: str | None = None
    detection_config: Annotated[None, refused("set sensitivities in the firewall instance; leave it out")] = None

    def turn(self) -> Turn:
        """The turn. Raises Invalid where there is none."""
        # What a tool said is scanned like what a user says.
        messages = (
            Message("user", one.parts) if one.role in TOOL_ROLES else one for one in _messages(self.query or "")
        )
        output = (part for message in _messages(self.response or "") for part in message.parts)
        turn = Turn(messages=tuple(messages), output=tuple(output))
        if not turn.passages("input") and not turn.output:
            raise Invalid("nothing to scan; give the query of a user, or a response")
        return turn


def checks_of(scan: Scan, config: Config) -> tuple[Check, ...]:
    """What is asked, with the instance's own sensitivities. Raises Invalid for a ruleset without a metric."""
    sides: tuple[Side, ...] = ("input", "output")
    return tuple(
        check for name in dict.fromkeys(_ruleset(one.name) for one in scan.ruleset_types) for side in sides
        for check in _checks(name, side, config)
    )  # fmt: skip


def scanned(scan: Scan, sides: Sequence[Sided]) -> dict[str, Any]:
    """What each ruleset came to. The organisation's floor speaks in all of them."""
    findings = [finding for side in sides for finding in side.findings]
    told = [{"name": one.name, "response": _response(_ruleset(one.name), findings)} for one in scan.ruleset_types]
    log = {"events": [side.verdict.event for side in sides]}
    return {"ruleset_types": told, "telemetry_log_json": json.dumps(log)}


def _response(name: str, findings: Sequence[Finding]) -> dict[str, Any]:
    found = [one for one in findings if one.flagged and (one.check is None or one.check.rule == name)]
    kinds = (kind or span.label for kind, span in entities_of(found)) if name in ("PII", "PCI") else ()
    return {
        "status": UNSAFE if found else SAFE,
        "entities": list(dict.fromkeys(kinds)),
        "techniques": techniques_of(found) if name == "PROMPT_INJECTION" else [],
        "standards": [],
    }


def _checks(name: str, side: Side, config: Config) -> Iterator[Check]:
    if name == "TOXICITY":
        yield toxicity(name, side, (config.told(("TOXICITY", side)) or Toxicity()).sensitivity)
    elif name == "PII":
        wanted = (config.told(("PII_DETECTION", side)) or Pii()).entities or default_entities()
        yield pii(name, side, tuple(wanted))
    elif name == "PCI":
        yield pii(name, side, ("CREDIT_CARD_NUMBER",))
    elif side == "input":
        yield injection(name, side, (config.told(("PROMPT_INJECTION", side)) or Injection()).sensitivity)


def _ruleset(name: str) -> str:
    found = re.sub(r"[^A-Z]+", "_", name.upper()).strip("_")
    if found not in RULESETS:
        raise Invalid(f"Guard has no metric yet for the ruleset '{name[:60]}'; it has {', '.join(RULESETS)}")
    return found


def _messages(given: str) -> Iterator[Message]:
    """The messages in a request's or an answer's JSON; what is not understood is read as it is, by nobody trusted."""
    try:
        body = json.loads(given)
    except (ValueError, RecursionError):
        body = None
    found = body
    if isinstance(body, dict):
        choices = body.get("choices")
        answers = [one.get("message") for one in choices if isinstance(one, dict)] if choices else [body]
        found = body.get("messages", answers)
    if isinstance(found, list) and found and all(isinstance(one, dict) and "content" in one for one in found):
        yield from (read_message(one) for one in found)
    elif given:
        yield Message("user", (given,))
