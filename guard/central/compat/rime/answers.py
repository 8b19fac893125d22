"""What RIME's clients are told of a validation: in the words of 2.10, and in those of 2.13."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from guard.central.compat.rime.config import PREFIX, PREFIX_LATER
from guard.central.compat.rime.entities import TECHNIQUES, TOXIC, entity
from guard.central.compat.rime.run import Finding, Sided
from guard.metrics import Side, Turn
from guard.metrics.score import Span

ACTION = {True: "FIREWALL_ACTION_FLAG", False: "FIREWALL_ACTION_ALLOW"}
_COMPONENTS = {"input": "USER_INPUT", "retrieval": "CONTEXTS", "output": "OUTPUT"}
#: Of a toxic text 2.13 has no word for this category.
_NOT_LATER = {"SELF_HARM"}


def answer(instance: str, turn: Turn, sides: Sequence[Sided]) -> dict[str, Any]:
    """To 2.10: every rule on the input (and contexts), and on the output."""
    results = {side.kind: {name: _rule(name, side, found) for name, found in _named(side)} for side in sides}
    texts = {"userInputText": _text(turn, "input"), "outputText": _text(turn, "output")}
    return {
        "inputResults": results.get("input", {}),
        "outputResults": results.get("output", {}),
        "metadata": {"vendorName": "Guard", "product": "stageguard", "firewallInstanceId": instance, **_version()},
        "processedReq": {
            "requestId": sides[0].verdict.event,
            "contexts": list(turn.documents),
            **{name: text for name, text in texts.items() if text is not None},
        },
        "apiSchemaVersion": "2.10",
    }


def later_answer(instance: str, language: str, turn: Turn, sides: Sequence[Sided]) -> dict[str, Any]:
    """To 2.13: the rules that flagged, and those that did not."""
    rules = [(name, side, found) for side in sides for name, found in _named(side, later=True)]
    flagged = {name for name, _, found in rules if _flagged(found)}
    told = {name: _rule(name, side, found, later=True) for name, side, found in rules}
    hashes = {f"{name}TextSha": _sha(text) for name in ("input", "output") if (text := _text(turn, name)) is not None}
    return {
        "validationTypes": [_type(side) for side in sides],
        "flaggedValidationTypes": [_type(side) for side in sides if any(one.flagged for one in side.findings)],
        "flaggedRules": {name: told[name] for name in told if name in flagged},
        "allowedRules": {name: told[name] for name in told if name not in flagged},
        "vendorName": "Guard",
        "product": "stageguard",
        "firewallInstanceId": {"uuid": instance},
        **_version(),
        "schemaVersion": "2.13",
        "request": hashes,
        "validationTime": datetime.now(UTC).isoformat(),
        "traceId": {"uuid": sides[0].verdict.event},
        "language": language,
    }


def entities_of(findings: Iterable[Finding]) -> Iterator[tuple[str | None, Span]]:
    """The personal data that was found: RIME's kind where it can only be one, and what Guard found."""
    for finding in findings:
        check = finding.check
        if check is None or not finding.flagged:
            continue
        for rule, score in zip(finding.outcome.rules, finding.scores, strict=True):
            wanted = rule.rule.target_value
            for span in score.spans:
                if not isinstance(wanted, list) or span.label in wanted:
                    yield ("CUSTOM" if check.own else entity(span.label, check.entities)), span


def techniques_of(findings: Iterable[Finding]) -> list[str]:
    """The techniques of the attacks that were found, so far as RIME has names for them."""
    return [f"ATTACK_TECHNIQUE_{TECHNIQUES[label]}" for label in _labels(findings) if label in TECHNIQUES]


def _named(side: Sided, *, later: bool = False) -> Iterable[tuple[str, list[Finding]]]:
    """A side's rules by the names that the client knows; of the floor's rulesets their own."""
    named: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in side.findings:
        check = finding.check
        if check is None:
            named[finding.outcome.ruleset.name].append(finding)
        elif later:
            named[f"{PREFIX_LATER}{check.rule}_{check.kind.upper()}"].append(finding)
        else:
            named[PREFIX + check.rule].append(finding)
    return named.items()


def _rule(name: str, side: Sided, found: Sequence[Finding], *, later: bool = False) -> dict[str, Any]:
    told: dict[str, Any] = {"ruleName": name, "action": ACTION[_flagged(found)]}
    if _flagged(found) and (check := found[0].check):
        told |= _details(check.rule, side, found, later=later)
    return told


def _details(rule: str, side: Sided, found: Sequence[Finding], *, later: bool) -> dict[str, Any]:
    if rule == "PII_DETECTION":
        entities = [_entity(name, span, side.kind, later=later) for name, span in entities_of(found)]
        sanitised = {} if side.sanitised is None else {"sanitizedText": side.sanitised}
        return {"piiDetectionDetails": {"flaggedEntities": entities, **sanitised}}
    if rule in ("PROMPT_INJECTION", "INDIRECT_PROMPT_INJECTION"):
        return {"promptInjectionDetails": {"objectives": [], "techniques": techniques_of(found)}}
    if rule == "TOXICITY":
        categories = list(dict.fromkeys(TOXIC[label] for label in _labels(found) if label in TOXIC))
        if later:
            categories = [one for one in categories if one not in _NOT_LATER]
        words = [f"TOXICITY_THREAT_CATEGORY_{one}" for one in categories]
        told = {"categories": words} if later else {"category": words[0]} if words else {}
        return {"toxicityDetectionDetails": told}
    if rule == "LANGUAGE_DETECTION":
        codes = dict.fromkeys(str(score.value) for one in found for score in one.scores)
        return {"languageDetectionDetails": {"flaggedLanguageSubstrings": [{"languageCode": code} for code in codes]}}
    return {}


def _entity(name: str | None, span: Span, side: Side, *, later: bool) -> dict[str, Any]:
    where: dict[str, Any] = {"requestBodyComponent": f"REQUEST_BODY_COMPONENT_{_COMPONENTS[side]}"}
    where |= {"substringStartIndex": span.start, "substringEndIndex": span.end}
    # 2.13 knows no kind CUSTOM; the name says which it is.
    kind = {} if name is None or (later and name == "CUSTOM") else {"entityType": f"PII_ENTITY_TYPE_{name}"}
    own = {"customEntityName": span.label} if name in (None, "CUSTOM") else {}
    return {**kind, **own, "confidenceScore": span.score, "flaggedSubstring": where}


def _labels(found: Iterable[Finding]) -> list[str]:
    """The labels that were found, the surest first."""
    sure: dict[str, float] = {}
    for score in (score for one in found if one.flagged for score in one.scores):
        for label in score.labels or ():
            sure[label] = max(sure.get(label, 0.0), score.by_label.get(label, 0.0))
    return sorted(sure, key=lambda label: -sure[label])


def _flagged(found: Iterable[Finding]) -> bool:
    return any(one.flagged for one in found)


def _type(side: Sided) -> str:
    return f"VALIDATION_TYPE_{side.kind.upper()}"


def _text(turn: Turn, side: Side) -> str | None:
    passages = turn.passages(side)
    return "\n".join(passages) if passages else None


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _version() -> Mapping[str, str]:
    return {"version": version("stageguard")}
