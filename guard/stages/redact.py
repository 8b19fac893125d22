"""Redacting: what a decision's rulesets found is replaced by what can be put back, or by what cannot."""

from __future__ import annotations

from collections.abc import Sequence

from guard.metrics.score import Score, Span
from guard.stages.action import Redact
from guard.stages.decision import Decision, RuleOutcome, RulesetOutcome
from guard.stages.edit import Edit, apply
from guard.stages.placeholders import Placeholders
from guard.stages.rule import LABELS


def edits(decision: Decision, passages: Sequence[str], placeholders: Placeholders) -> dict[int, list[Edit]] | None:
    """What a redact decision replaces, by passage, in order and without overlap.

    None where something that triggered has no place in the text: it cannot be redacted, so it must not be passed on.
    """
    marked: list[tuple[Span, Redact]] = []
    for outcome in decision.redactions:
        assert isinstance(outcome.ruleset.action, Redact)
        spans = _spans(outcome, decision)
        if spans is None:
            return None
        marked.extend((span, outcome.ruleset.action) for span in spans)
    result: dict[int, list[Edit]] = {}
    # The longest of those that begin together comes first, so that it names the whole.
    for span, action in sorted(marked, key=lambda pair: (pair[0].passage, pair[0].start, -pair[0].end)):
        if not 0 <= span.passage < len(passages) or not 0 <= span.start < span.end <= len(passages[span.passage]):
            return None
        text = passages[span.passage]
        before = result.setdefault(span.passage, [])
        start = max(span.start, before[-1].end) if before else span.start
        if start < span.end:
            before.append(Edit(start, span.end, placeholders.of(text[start : span.end], span.label, action)))
    return result


def redacted(decision: Decision, passages: Sequence[str], placeholders: Placeholders) -> tuple[str, ...] | None:
    """The passages with all that the decision redacts replaced; None where that cannot be done."""
    placeholders.avoid(passages)
    changes = edits(decision, passages, placeholders)
    if changes is None:
        return None
    return tuple(apply(passage, changes.get(number, ())) for number, passage in enumerate(passages))


def _spans(outcome: RulesetOutcome, decision: Decision) -> list[Span] | None:
    """Where the things stand that triggered a ruleset, on its stage's own side; None where one has no place.

    A number or a single label beside found labels is a condition, not a thing: it needs no place of its own.
    """
    action = outcome.ruleset.action
    assert isinstance(action, Redact)
    spans: list[Span] = []
    placed = False
    for rule in outcome.rules:
        if rule.probe.of != decision.stage.kind or not isinstance(rule.measurement, Score):
            continue
        score, wanted = rule.measurement, set(action.labels) or _asked(rule)
        here = [span for span in score.spans if wanted is None or span.label in wanted]
        if _missing(score, rule.rule.operator, wanted, here):
            return None
        placed = placed or bool(score.spans)
        spans.extend(here)
    # With `labels` it may be that none of those was found: then there is nothing to replace.
    return spans if spans or (action.labels and placed) else None


def _missing(score: Score, operator: str, wanted: set[str] | None, spans: list[Span]) -> bool:
    """Whether a label that was found, and is to be redacted, has no span."""
    found = score.value if isinstance(score.value, tuple) else score.labels if operator in LABELS else None
    present = set(found or ()) if wanted is None else wanted & set(found or ())
    return bool(present - {span.label for span in spans})


def _asked(rule: RuleOutcome) -> set[str] | None:
    """The labels that a rule asks for; None where it asks for any."""
    target = rule.rule.target_value
    if rule.rule.operator not in LABELS or target is None:
        return None
    return set(target) if isinstance(target, list) else {str(target)}
