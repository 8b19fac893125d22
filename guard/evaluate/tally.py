"""Adding up what a metric gave against what should be found, row by row, and the figures that come of it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from guard.evaluate.agreement import Agreements, agreements
from guard.evaluate.curve import Curve
from guard.evaluate.figures import Figures, figures
from guard.evaluate.rows import Row
from guard.evaluate.spans import Count, Place, exact, overlapping, place_of
from guard.evaluate.truth import Truth


@dataclass(frozen=True, slots=True)
class Result:
    """One metric on labelled rows: `rows` with a label and a score, `failed` with a label and no score.

    `figures` are those of its number against rows labelled 0 or 1, `labels` those of its labels against theirs,
    `numbers` those of each label's own number, `exact` and `overlap` those of its spans. `failure` is the first one's
    error; `curve` what `figures` were read from.
    """

    metric: str
    rows: int
    failed: int
    failure: str
    figures: Figures | None
    labels: Agreements | None
    numbers: Mapping[str, Figures]
    exact: Agreements | None
    overlap: Agreements | None
    curve: Curve | None = field(repr=False)


class _Labelled(NamedTuple):
    truth: Truth
    found: frozenset[str]
    by_label: Mapping[str, float]
    group: str


class _Marked(NamedTuple):
    truths: tuple[Place, ...]
    found: tuple[Place, ...]
    group: str


class Tally:
    """What one metric gave, row by row. It keeps numbers, labels and places, and no text.

    `at` is the threshold, `low` says that low numbers mean "to be found", `grouped` that the rows are in groups.
    """

    def __init__(self, metric: str, *, at: float = 0.5, low: bool = False, grouped: bool = False) -> None:
        self._metric, self._at, self._low, self._grouped = metric, at, low, grouped
        self._rows = self._failed = 0
        self._failure = ""
        self._truth, self._scores = bytearray(), array("d")
        self._groups: list[str] = []
        self._labelled: list[_Labelled] = []
        self._marked: list[_Marked] = []

    def add(self, row: Row, truth: Truth, entry: Any, group: str) -> None:
        """One row's truth and its entry under `scores`. Raises SettingsError where the two cannot be compared."""
        if not (isinstance(entry, Mapping) and ("error" in entry or _is_entry(entry))):
            raise row.refused(f"scores of {self._metric} are {{value, labels, spans}} or {{error}}, not {entry!r:.80}")
        if "error" in entry:
            self._failed += 1
            self._failure = self._failure or str(entry["error"])
            return
        self._rows += 1
        value = entry["value"]
        found = truth.found if truth.labels is None else truth.labels.get(self._metric)
        if found is not None:
            self._truth.append(found)
            self._scores.append(_number(value, row))
            self._groups.append(group)
        if truth.labels is not None:
            labels = [value] if isinstance(value, str) else value if isinstance(value, list) else entry.get("labels")
            rest = {label: yes for label, yes in truth.labels.items() if label != self._metric}
            about = Truth(labels=rest, closed=truth.closed)
            self._labelled.append(_Labelled(about, frozenset(labels or ()), entry.get("by_label") or {}, group))
        if truth.spans is not None:
            self._marked.append(_Marked(truth.spans, _places(entry.get("spans") or [], row), group))

    def result(self) -> Result:
        """The figures of all rows so far."""
        known, scores = np.frombuffer(self._truth, np.uint8), np.frombuffer(self._scores)
        groups = self._groups if self._grouped else None
        ranked = figures(known, scores, groups=groups, at=self._at, low=self._low) if len(known) else None
        # A list that is empty says nothing of which it is; the other rows do.
        marked = any(row.truths for row in self._marked)
        labelled = any(row.truth.labels for row in self._labelled) or (
            bool(self._labelled) and not (marked or len(known))
        )
        return Result(
            self._metric,
            self._rows,
            self._failed,
            self._failure,
            ranked,
            self._agreements(map(_label_counts, self._labelled), self._labelled) if labelled else None,
            self._numbers() if labelled else {},
            self._agreements(_span_counts(exact, self._marked), self._marked) if marked else None,
            self._agreements(_span_counts(overlapping, self._marked), self._marked) if marked else None,
            Curve.of(known.astype(bool), -scores if self._low else scores) if ranked else None,
        )

    def _agreements(self, counts: Iterable[Mapping[str, Count]], rows: Sequence[_Labelled | _Marked]) -> Agreements:
        return agreements(list(counts), groups=[row.group for row in rows] if self._grouped else None)

    def _numbers(self) -> dict[str, Figures]:
        """For each label that every row which speaks of it has a number for."""
        names = sorted({label for row in self._labelled for label in row.truth.labels or ()})
        rows = {
            name: [row for row in self._labelled if row.truth.closed or name in (row.truth.labels or {})]
            for name in names
        }
        return {
            name: figures(
                [(row.truth.labels or {}).get(name, False) for row in about],
                [row.by_label[name] for row in about],
                groups=[row.group for row in about] if self._grouped else None,
                at=self._at,
            )
            for name, about in rows.items()
            if all(name in row.by_label for row in about)
        }


def _label_counts(row: _Labelled) -> dict[str, Count]:
    said = row.truth.labels or {}
    judged = said.keys() | row.found if row.truth.closed else said.keys()
    right = {label for label in row.found if said.get(label)}
    return {label: Count(int(said.get(label, False)), int(label in row.found), int(label in right)) for label in judged}


def _span_counts(
    compare: Callable[[Iterable[Place], Iterable[Place]], Mapping[str, Count]], rows: Iterable[_Marked]
) -> Iterator[Mapping[str, Count]]:
    return (compare(row.truths, row.found) for row in rows)


def _is_entry(entry: Mapping[str, Any]) -> bool:
    """Whether it is what `score` writes of a metric."""
    value, numbers = entry.get("value"), entry.get("by_label") or {}
    return (
        (isinstance(value, str) or _is_labels(value) or _is_number(value))
        and _is_labels(entry.get("labels") or [])
        and isinstance(numbers, Mapping)
        and all(map(_is_number, numbers.values()))
    )


def _is_labels(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(label, str) for label in value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _number(value: Any, row: Row) -> float:
    """Labels count as one number: whether there is any."""
    if isinstance(value, str):
        raise row.refused(
            f"the metric gives a label ('{value:.40}'), and the row is labelled 0 or 1; name the label it has"
        )
    return float(bool(value)) if isinstance(value, list) else float(value)


def _places(spans: Any, row: Row) -> tuple[Place, ...]:
    places = [place_of(span) for span in spans] if isinstance(spans, list) else [None]
    found = tuple(place for place in places if place is not None)
    if len(found) < len(places):
        raise row.refused(f"spans are [{{start, end, label}}], not {spans!r:.80}")
    if len({span.get("side") for span in spans}) > 1:
        raise row.refused("spans were found on input and output, and the label does not say where; choose with --side")
    return found
