"""Measuring rows: many at once, in their order, however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from guard.at_once import in_order
from guard.errors import SettingsError
from guard.evaluate.rows import Row
from guard.metrics.measure import measure
from guard.metrics.metric import Metric
from guard.metrics.score import Failure, Measurement, Probe, Score, merged
from guard.metrics.turn import SIDES, Message, Side, Turn

#: Under which name a row of a whole turn holds what stands on a side.
FIELDS: dict[Side, str] = {"input": "input", "output": "output", "retrieval": "context"}
#: What is measured of a whole turn, where nobody asks for a side.
USUAL: tuple[Side, ...] = ("input", "output")


@dataclass(frozen=True, slots=True)
class Scorer:
    """Measures rows with some metrics, on `side`, or where that is None on the sides that suit row and metric.

    A `text` stands on the input, or where the metric does not measure that on the first side it does. Of a row with
    `input` and `output` every metric measures both, as far as it can, and its score is that of the worse: the highest
    number, all labels. A metric that gives one label measures the output where there is one. `context`, a text or a
    list of them, is what was retrieved: metrics of the others may read it; it is measured itself for side `retrieval`.
    """

    metrics: Mapping[str, Metric]
    side: Side | None = None

    def __post_init__(self) -> None:
        for name, metric in self.metrics.items():
            if self.side is not None and self.side not in metric.sides:
                can = ", ".join(side for side in SIDES if side in metric.sides)
                raise SettingsError(f"--side: {name} does not measure the {self.side}; it measures {can}")

    async def score(self, row: Row, names: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """For each metric, or each of these, `{"value", "labels", "spans"}`, or `{"error"}` where it failed.

        Raises SettingsError where the row does not hold what is to be measured.
        """
        sides = {name: self._sides(row, self.metrics[name]) for name in (self.metrics if names is None else names)}
        results: dict[Probe, Measurement] = {}
        for turn, probes in _turns(row, sides):
            results |= await measure(probes, turn, self.metrics)
        return {name: entry({side: results[Probe(name, side)] for side in of}) for name, of in sides.items()}

    def _sides(self, row: Row, metric: Metric) -> list[Side]:
        """What to measure of a row."""
        if "text" in row.fields:
            return [self.side or next(side for side in SIDES if side in metric.sides)]
        usual: list[Side] = [side for side in USUAL if side in metric.sides]
        wanted: list[Side] = [self.side] if self.side else usual or ["retrieval"]
        found: list[Side] = [side for side in wanted if row.fields.get(FIELDS.get(side, "")) is not None]
        if not found:
            missing = "".join(f" nor '{FIELDS[side]}'" for side in wanted if side in FIELDS)
            has = ", ".join(row.fields) or "nothing"
            raise row.refused(f"there is no 'text'{missing} for {metric.name} to measure; the row has {has}")
        return found[-1:] if metric.kind == "label" else found


async def scored(
    rows: Iterable[Row], scorer: Scorer, at_once: int, *, again: bool = True
) -> AsyncIterator[tuple[Row, dict[str, dict[str, Any]]]]:
    """Each row with what was measured of it, in order; `at_once` rows are in hand at a time.

    Without `again` what a row has in its own `scores` is not measured.
    """

    async def measured(row: Row) -> tuple[Row, dict[str, dict[str, Any]]]:
        has = {} if again else row.scores
        return row, await scorer.score(row, [name for name in scorer.metrics if name not in has])

    async with aclosing(in_order(measured, rows, at_once)) as done:
        async for one in done:
            yield one


def _turns(row: Row, sides: Mapping[str, list[Side]]) -> list[tuple[Turn, list[Probe]]]:
    """What to measure, by the turns that it is measured of. A text is a turn of its own on each side."""
    probes = [Probe(name, side) for name, of in sides.items() for side in of]
    if "text" not in row.fields:
        return [(_turn(row), probes)]
    (text,) = _texts(row, "text")
    used: dict[Side, None] = dict.fromkeys(probe.of for probe in probes)
    return [(Turn.of(text, side), [probe for probe in probes if probe.of == side]) for side in used]


def turn_of(row: Row) -> Turn:
    """The turn that a row holds; a `text` alone is what the user said. Raises SettingsError where it holds none."""
    if "text" in row.fields:
        return Turn.of(_texts(row, "text")[0])
    turn = _turn(row)
    if not turn.texts:
        raise row.refused(f"there is no 'text', 'input', 'output' or 'context'; the row has {', '.join(row.fields)}")
    return turn


def _turn(row: Row) -> Turn:
    held = {side: _texts(row, name) for side, name in FIELDS.items() if row.fields.get(name) is not None}
    messages = tuple(Message("user", (text,)) for text in held.get("input", ()))
    return Turn(messages=messages, output=held.get("output", ()), documents=held.get("retrieval", ()))


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row.fields[name]
    if name == "context" and isinstance(value, list) and all(isinstance(document, str) for document in value):
        return tuple(value)
    if not isinstance(value, str):
        lists = " or a list of texts" if name == "context" else ""
        raise row.refused(f"'{name}' is a text{lists}, not {type(value).__name__}")
    return (value,)


def entry(measurements: Mapping[Side, Measurement]) -> dict[str, Any]:
    """What the scored row says of one metric. Where one side failed, all of it did: the rest would read as safe."""
    failures = [one for one in measurements.values() if isinstance(one, Failure)]
    if failures:
        return {"error": failures[0].error}
    scores = [one for one in measurements.values() if isinstance(one, Score)]
    whole = merged(scores)
    spans = [
        {"start": span.start, "end": span.end, "label": span.label, "score": span.score}
        | {"side": side, "passage": span.passage}
        for side, score in zip(measurements, scores, strict=True)
        for span in score.spans
    ]
    value = list(whole.value) if isinstance(whole.value, tuple) else whole.value
    more = {"by_label": dict(whole.by_label)} if whole.by_label else {}
    return {"value": value, "labels": list(whole.labels or ()), "spans": spans, **more}
