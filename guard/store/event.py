"""An event: one decision with everything that it was made from, fit to be stored and decided again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NotRequired, TypedDict

import orjson

from guard.metrics.metric import as_measurement
from guard.metrics.score import Failure, Measurement, Measurements, Probe, Score, Span
from guard.metrics.turn import Side, Turn
from guard.stages import Decision, explain
from guard.stages.rule import LABELS
from guard.store.ids import new_id, time_of
from guard.store.mask import NAME_LIMIT, Masker, clean, found_in

__all__ = ["Event", "Measured", "Outcome", "new_id"]

#: A measurement's spans beyond these are only counted: a text of 10 MB may hold a million.
SPAN_LIMIT = 100


class RuleRecord(TypedDict):
    """One rule and how it came out. `of` is the side it looked at, the stage's own where the policy names none."""

    metric: str
    of: Side
    operator: str
    target_value: Any
    status: str


class Outcome(TypedDict):
    """One ruleset, in its place, and how it came out."""

    name: str
    mode: str
    status: str
    rules: list[RuleRecord]


class Measured(TypedDict):
    """One measurement: a score has `value` and what goes with it, a failure has `error` and `timed_out`.

    `spans` count in the text as it was read, not as it is stored; `spans_more` is how many are left out.
    """

    metric: str
    of: Side
    millis: float
    value: NotRequired[float | str | list[str]]
    labels: NotRequired[list[str] | None]
    by_label: NotRequired[dict[str, float]]
    spans: NotRequired[list[dict[str, Any]]]
    spans_more: NotRequired[int]
    reason: NotRequired[str]
    model: NotRequired[str]
    error: NotRequired[str]
    timed_out: NotRequired[bool]


@dataclass(frozen=True, slots=True)
class Event:
    """One decision.

    `id` sorts by time; `request` is shared by all events of one request; `at` is in UTC epoch seconds. `kind` is the
    stage's side, `action` the action's type, `ruleset` the one that decided. `coverage` lists under `run`, `skipped`,
    `failed` and `late` the metrics as `metric` or, on another side than the stage's, `metric@side`. `characters` is how
    many of each side were read, `text` the stored passages of each side, empty where none are stored. `explanation` is
    one sentence; `millis` is how long the stage took.
    """

    id: str
    request: str
    at: float
    project: str
    app: str
    policy: str
    revision: str
    stage: str
    kind: Side
    status: str
    action: str
    ruleset: str | None = None
    outcomes: Sequence[Outcome] = ()
    measured: Sequence[Measured] = ()
    coverage: Mapping[str, list[str]] = field(default_factory=dict)
    characters: Mapping[str, int] = field(default_factory=dict)
    text: Mapping[str, list[str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    explanation: str = ""
    millis: float = 0.0

    @classmethod
    def of(
        cls,
        decision: Decision,
        turn: Turn,
        *,
        policy: str,
        revision: str,
        request: str,
        millis: float,
        app: str = "",
        project: str = "default",
        id: str | None = None,  # noqa: A002 - the field's name
        at: float | None = None,
        masker: Masker = Masker(),  # noqa: B008 - frozen
    ) -> Event:
        """The event of a decision, with the turn's text as `masker` keeps it. Costs 50 µs and more: not for the hot path."""
        identifier = id or new_id(at)
        stage = decision.stage
        sides = tuple(dict.fromkeys((stage.kind, *(probe.of for probe in stage.probes))))
        found = {side: [*_to_hide(decision, side)] for side in sides}
        hidden: dict[str, str] = {}
        for side, spans in found.items():
            hidden |= found_in(turn.passages(side), spans) if spans else {}
        measured = [_measured(probe, value, masker, hidden) for probe, value in decision.measurements.items()]
        read = {probe.of for probe, value in decision.measurements.items() if isinstance(value, Score)}
        return cls(
            id=identifier,
            request=clean(request, NAME_LIMIT),
            at=time_of(identifier) if at is None else at,
            project=clean(project, NAME_LIMIT),
            app=clean(app, NAME_LIMIT),
            policy=clean(policy, NAME_LIMIT),
            revision=clean(revision, NAME_LIMIT),
            stage=clean(stage.name, NAME_LIMIT),
            kind=stage.kind,
            status=str(decision.status),
            action=decision.action.type,
            ruleset=clean(decision.ruleset.name, NAME_LIMIT) if decision.ruleset else None,
            outcomes=_outcomes(decision),
            measured=measured,
            coverage=_coverage(decision),
            characters={side: sum(map(len, turn.passages(side))) for side in sides if side in read},
            text={} if masker.mode == "none" else {side: _text(decision, turn, side, masker, found[side]) for side in sides},
            labels={clean(name, NAME_LIMIT): clean(str(value), NAME_LIMIT) for name, value in turn.labels.items()},
            explanation=masker.note(explain(decision), hidden),
            millis=round(millis, 3),
        )

    def measurements(self) -> Measurements:
        """What was measured, ready to be decided again: `decide(stage, event.measurements())` calls no model."""
        return {Probe(entry["metric"], entry["of"]): _measurement(entry) for entry in self.measured}

    def to_json(self) -> bytes:
        """The event as one line of JSON, keys named as the fields are."""
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Event:
        """The event from its JSON. Fields that a newer Guard added are left out. Raises ValueError where it is no event."""
        try:
            document = orjson.loads(data)
            return cls(**{name: document[name] for name in FIELDS if name in document})
        except (TypeError, ValueError) as error:
            raise ValueError(f"no event: {error}") from None


FIELDS = tuple(one.name for one in fields(Event))
SPAN_FIELDS = tuple(one.name for one in fields(Span))


def _outcomes(decision: Decision) -> list[Outcome]:
    return [
        {
            "name": outcome.ruleset.name,
            "mode": outcome.ruleset.mode,
            "status": str(outcome.status),
            "rules": [
                {
                    "metric": probe.metric,
                    "of": probe.of,
                    "operator": rule.operator,
                    "target_value": rule.target_value,
                    "status": str(status),
                }
                for rule, probe, _, status in outcome.rules
            ],
        }
        for outcome in decision.outcomes
    ]


def _coverage(decision: Decision) -> dict[str, list[str]]:
    own = decision.stage.kind
    return {
        name: [probe.metric if probe.of == own else f"{probe.metric}@{probe.of}" for probe in probes]
        for name, probes in decision.coverage._asdict().items()
    }


def _to_hide(decision: Decision, side: Side) -> list[Span]:
    """What is masked on a side: all that metrics of kind labels found there, and what the decision redacts."""
    redacted = {rule.probe for outcome in decision.redactions for rule in outcome.rules}
    return [
        span
        for probe, measurement in decision.measurements.items()
        if probe.of == side and isinstance(measurement, Score)
        if isinstance(measurement.value, tuple) or probe in redacted
        for span in measurement.spans
    ]


def _text(decision: Decision, turn: Turn, side: Side, masker: Masker, found: list[Span]) -> list[str]:
    """A side's passages as they are stored; withheld where what should have found the personal data in them failed."""
    blind = [] if masker.mode == "full" else _blind(decision, side)
    if blind:
        withheld = f"[withheld: {', '.join(blind)} could not be measured, so this could not be masked]"
        return [withheld for _ in turn.passages(side)]
    return masker.passages(turn.passages(side), found)


def _blind(decision: Decision, side: Side) -> list[str]:
    """The metrics that rules ask for labels on this side, or to redact by, and that failed or were late."""
    blind: dict[str, None] = {}
    for outcome in decision.outcomes:
        redacts = outcome.ruleset.action.type == "redact"
        for rule, probe, measurement, _ in outcome.rules:
            if probe.of == side and isinstance(measurement, Failure) and (redacts or rule.operator in LABELS):
                blind[probe.metric] = None
    return list(blind)


def _measured(probe: Probe, measurement: Measurement, masker: Masker, hidden: Mapping[str, str]) -> Measured:
    measurement = _plain(measurement)
    if isinstance(measurement, Failure):
        return {
            "metric": probe.metric,
            "of": probe.of,
            "error": masker.note(measurement.error, hidden),
            "millis": round(measurement.millis, 3),
            "timed_out": measurement.timed_out,
        }
    value, labels, spans = measurement.value, measurement.labels, measurement.spans
    entry: Measured = {
        "metric": probe.metric,
        "of": probe.of,
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
    if isinstance(measurement, Score) and not isinstance(measurement.value, (float, str, tuple)):
        measurement = replace(measurement, value=float(measurement.value))
    return as_measurement(measurement)


def _storable(value: float | str | tuple[str, ...]) -> float | str | list[str]:
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


def _measurement(entry: Measured) -> Measurement:
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
