"""RIME's rules run on a turn: one check of Guard's for each side that has a text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from guard.central.central import Central
from guard.central.checking import verdict_of
from guard.central.compat.rime.rules import Check
from guard.central.stage import StageDocument
from guard.errors import CentralError, Conflict, Invalid
from guard.metrics import Failure, Message, Score, Side, Turn
from guard.stages import Stage, Status, decide
from guard.stages.decision import UNRESOLVED, RulesetOutcome
from guard.stages.placeholders import Placeholders
from guard.stages.redact import redacted
from guard.verdict import Verdict


class NotMeasured(CentralError):
    """A rule could not be checked. Its answers have no word for that but an error."""

    status = 500
    code = "not_measured"


@dataclass(frozen=True, slots=True)
class Finding:
    """How a ruleset came out. `check` is RIME's rule; None for a ruleset of the organisation's floor."""

    check: Check | None
    outcome: RulesetOutcome

    @property
    def flagged(self) -> bool:
        """Whether it was met."""
        return self.outcome.status == Status.TRIGGERED

    @property
    def scores(self) -> Iterable[Score]:
        """What was measured for it."""
        return (rule.measurement for rule in self.outcome.rules if isinstance(rule.measurement, Score))


@dataclass(frozen=True)
class Sided:
    """What was found on a side, the input's together with the contexts'."""

    verdict: Verdict
    turn: Turn
    findings: tuple[Finding, ...]

    @property
    def kind(self) -> Side:
        """The side."""
        return self.verdict.decision.stage.kind

    @cached_property
    def sanitised(self) -> str | None:
        """The side's text without the personal data that was flagged in it; None where that cannot be done."""
        found = [one.check for one in self.findings if one.check and one.flagged and one.check.rule == "PII_DETECTION"]
        stage = Stage(name=self.kind, kind=self.kind, rulesets=tuple(check.redaction for check in found))
        decision = decide(stage, self.verdict.decision.measurements)
        texts = redacted(decision, self.turn.passages(self.kind), Placeholders())
        return None if texts is None else "\n".join(texts)


def turn_of(given: str | None, output: str | None, contexts: Sequence[str] = ()) -> Turn:
    """The turn to validate. Raises Invalid where there is none."""
    if given is None and output is None and not contexts:
        raise Invalid("nothing to validate; give userInputText, outputText or contexts")
    messages = () if given is None else (Message("user", (given,)),)
    return Turn(messages=messages, output=() if output is None else (output,), documents=tuple(contexts))


async def run(
    central: Central, instance: sa.Row[Any], checks: Sequence[Check], turn: Turn, app: str | None
) -> list[Sided]:
    """What is found on each side. Raises Conflict where the instance is paused, NotMeasured where a check failed."""
    if instance.paused:
        raise Conflict("the firewall instance is paused at central, so nothing is validated; resume its stage")
    kinds: tuple[Side, ...] = ("input", "output")
    by_kind: dict[Side, list[Check]] = {kind: [] for kind in kinds}
    for check in checks:
        if _applies(check, turn):
            by_kind[check.kind].append(check)
    asked: list[Side] = [kind for kind in kinds if by_kind[kind] or turn.passages(kind)]
    return await asyncio.gather(*(_sided(central, instance, kind, by_kind[kind], turn, app) for kind in asked))


def _applies(check: Check, turn: Turn) -> bool:
    """Whether there is a text to read; what an answer says beyond its contexts asks for contexts."""
    return bool(turn.passages(check.side)) and (check.rule != "FACTUAL_INCONSISTENCY" or bool(turn.documents))


async def _sided(
    central: Central, instance: sa.Row[Any], kind: Side, checks: Sequence[Check], turn: Turn, app: str | None
) -> Sided:
    document = StageDocument(kind=kind, rulesets=tuple(check.ruleset for check in checks))
    own = {name: metric for check in checks for name, metric in check.own.items()}
    labels = {"app": app} if app else {}
    verdict = await verdict_of(central, instance, document, turn, labels, own)
    by_name = {check.name: check for check in checks}
    for outcome in verdict.decision.outcomes:
        if outcome.status in UNRESOLVED:
            raise NotMeasured(f"{outcome.ruleset.name} could not be checked: {_why(outcome)}")
    findings = (Finding(by_name.get(one.ruleset.name), one) for one in verdict.decision.outcomes)
    return Sided(verdict, turn, tuple(findings))


def _why(outcome: RulesetOutcome) -> str:
    failed = (rule for rule in outcome.rules if isinstance(rule.measurement, Failure))
    return "; ".join(f"{rule.probe.metric}: {rule.measurement.error}" for rule in failed) or "not measured"  # type: ignore[union-attr]
