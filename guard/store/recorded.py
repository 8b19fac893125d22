"""What of a decision is recorded: its rulesets, what was measured, and the text. All of it is plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NotRequired, TypedDict

from guard.metrics import Failure, Measurement, Probe, Score, Side, Span, Turn
from guard.metrics.metric import as_measurement
from guard.metrics.score import Value
from guard.metrics.selector import Selector
from guard.stages import Decision
from guard.stages.rule import LABELS
from guard.store.mask import NAME_LIMIT, Masker, clean

#: A measurement's spans beyond these are only counted: a text of 10 MB may hold a million.
SPAN_LIMIT = 100
SPAN_FIELDS = tuple(one.name for one in fields(Span))


class Asked(TypedDict):
    """What was to be measured; `only` is what a rule chose of the side, as the policy says it."""

    metric: str
    of: Side
    only: NotRequired[dict[str, Any]]


class RuleRecord(Asked):
    """One rule and how it came out. `of` is the side it looked at, the stage's own where the policy names none."""

    operator: str
    target_value: Any
    status: str


class Outcome(TypedDict):
    """One ruleset, in its place, and how it came out."""

    name: str
    mode: str
    status: str
    rules: list[RuleRecord]


class Measured(Asked):
    """One measurement: a score has `value` and what goes with it, a failure has `error` and `timed_out`.

    `only` is there where a rule chose what it read of the side; a `value` of null says that it chose none of the texts.
    `spans` count in the text as it was read, not as it is stored; `spans_more` is how many are left out.
    """

    millis: float
    value: NotRequired[float | str | list[str] | None]
    labels: NotRequired[list[str] | None]
    by_label: NotRequired[dict[str, float]]
    spans: NotRequired[list[dict[str, Any]]]
    spans_more: NotRequired[int]
    reason: NotRequired[str]
    model: NotRequired[str]
    error: NotRequired[str]
    timed_out: NotRequired[bool]


def outcomes_of(decision: Decision) -> list[Outcome]:
    """Every ruleset and rule, in order."""
    return [
        {
            "name": outcome.ruleset.name,
            "mode": outcome.ruleset.mode,
            "status": str(outcome.status),
            "rules": [
                {
                    **_asked(probe),
                    "operator": rule.operator,
                    "target_value": rule.target_value,
                    "status": str(status),
                }
                for rule, probe, _, status in outcome.rules
            ],
        }
        for outcome in decision.outcomes
    ]


def coverage_of(decision: Decision) -> dict[str, list[str]]:
    """Which metrics were run, skipped, failed and late; another side than the stage's own is named behind an @."""
    own = decision.stage.kind
    return {name: [_covered(probe, own) for probe in probes] for name, probes in decision.coverage._asdict().items()}


def _covered(probe: Probe, own: Side) -> str:
    side = "" if probe.of == own else f"@{probe.of}"
    return f"{probe.metric}{side} ({probe.only})" if probe.only else f"{probe.metric}{side}"


def _asked(probe: Probe) -> Asked:
    """What was to be measured, as it is recorded."""
    asked: Asked = {"metric": probe.metric, "of": probe.of}
    return {**asked, "only": probe.only.model_dump(mode="json", exclude_defaults=True)} if probe.only else asked


def probe_of(entry: Asked) -> Probe:
    """What a record of a rule or a measurement is of."""
    only = entry.get("only")
    return Probe(entry["metric"], entry["of"], None if only is None else Selector.model_validate(only))


def to_hide(decision: Decision, side: Side) -> list[Span]:
    """What is masked on a side: all that metrics of kind labels found there, and what the decision redacts."""
    redacted = {rule.probe for outcome in decision.redactions for rule in outcome.rules}
    return [
        span
        for probe, measurement in decision.measurements.items()
        if probe.of == side and isinstance(measurement, Score)
        if isinstance(measurement.value, tuple) or probe in redacted
        for span in measurement.spans
    ]


def texts_of(decision: Decision, turn: Turn, found: Mapping[Side, list[Span]], masker: Masker) -> dict[str, list[str]]:
    """The passages of each side as they are stored, with what was `found` there masked.

    Withheld where a metric that should have found the personal data in them failed.
    """
    texts: dict[str, list[str]] = {}
    for side, spans in found.items() if masker.mode != "none" else ():
        passages = turn.passages(side)
        blind = ", ".join(_blind(decision, side)) if masker.mode == "masked" else ""
        withheld = f"[withheld: {blind} could not be measured, so this could not be masked]"
        texts[side] = [withheld] * len(passages) if blind else masker.passages(passages, spans)
    return texts


def _blind(decision: Decision, side: Side) -> list[str]:
    """The metrics that rules ask for labels on this side, or to redact by, and that failed or were late."""
    blind: dict[str, None] = {}
    for outcome in decision.outcomes:
        redacts = outcome.ruleset.action.type == "redact"
        for rule, probe, measurement, _ in outcome.rules:
            if probe.of == side and isinstance(measurement, Failure) and (redacts or rule.operator in LABELS):
                blind[probe.metric] = None
    return list(blind)


def measured_of(probe: Probe, measurement: Measurement, masker: Masker, hidden: Mapping[str, str]) -> Measured:
    """The record of one measurement; `hidden` is what its reason must not repeat, with what stands instead."""
    measurement = _plain(measurement)
    if isinstance(measurement, Failure):
        return {
            **_asked(probe),
            "error": masker.note(measurement.error, hidden),
            "millis": round(measurement.millis, 3),
            "timed_out": measurement.timed_out,
        }
    value, labels, spans = measurement.value, measurement.labels, measurement.spans
    entry: Measured = {
        **_asked(probe),
        "value": _storable(value),
        "labels": None if labels is None else [clean(label) for label in labels],
        "spans": [_span(span) for span in spans[:SPAN_LIMIT]],
        "reason": masker.note(measurement.reason, hidden),
        "millis": round(measurement.millis, 3),
        "model": clean(measurement.model, NAME_LIMIT),
    }
    if measurement.by_label:
        entry["by_label"] = {clean(label, NAME_LIMIT): float(number) for label, number in measurement.by_label.items()}
    if len(spans) > SPAN_LIMIT:
        entry["spans_more"] = len(spans) - SPAN_LIMIT
    return entry


def _plain(measurement: Measurement) -> Measurement:
    """The measurement with its number as a plain float, or a failure where it is none that JSON can hold.

    NaN would be read back as nothing, and nothing decides as "not triggered".
    """
    if isinstance(measurement, Failure) or measurement.value is None:
        return measurement
    if not isinstance(measurement.value, (float, str, tuple)):
        measurement = replace(measurement, value=float(measurement.value))
    return as_measurement(measurement)


def _storable(value: Value) -> float | str | list[str] | None:
    if isinstance(value, tuple):
        return [clean(label) for label in value]
    return clean(value) if isinstance(value, str) else value


def _span(span: Span) -> dict[str, Any]:
    return {
        "start": int(span.start),
        "end": int(span.end),
        "label": clean(span.label, NAME_LIMIT),
        "score": float(span.score),
        "passage": span.passage,
    }


def measurement_of(entry: Measured) -> Measurement:
    """The measurement that a record was made of."""
    if "value" not in entry:
        return Failure(entry.get("error", ""), entry["millis"], entry.get("timed_out", False))
    value, labels = entry["value"], entry.get("labels")
    return Score(
        tuple(value) if isinstance(value, list) else value,
        None if labels is None else tuple(labels),
        tuple(Span(*(span[name] for name in SPAN_FIELDS)) for span in entry.get("spans", ())),
        entry.get("reason", ""),
        entry["millis"],
        entry.get("model", ""),
        entry.get("by_label", {}),
    )
