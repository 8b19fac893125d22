"""A metric: a name, what kind of score it gives, what it costs, and a function that measures one side of a turn."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from inspect import iscoroutinefunction
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from guard.metrics.normalise import views
from guard.metrics.score import Failure, Measurement, Score, Span, merged
from guard.metrics.turn import SIDES, Side, Turn

Kind = Literal["number", "labels", "label"]
Measure: TypeAlias = Callable[[Turn, Side], "Measurement | Awaitable[Measurement]"]
_VALUES: dict[Kind, type | tuple[type, ...]] = {"number": (float, int), "labels": tuple, "label": str}


class Cost(IntEnum):
    """Roughly what one measurement costs. Cheaper classes run first; dearer ones only while they can still matter."""

    FREE = 0  # microseconds: counting, patterns; a promise, since it runs on the event loop for short texts
    LOCAL = 1  # a millisecond: many patterns, checksums
    MODEL = 2  # milliseconds of CPU: a local model
    REMOTE = 3  # a network call


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that measures. It returns a score or a failure and never decides.

    `measure(turn, side)` runs on the event loop when it is `async def` and in a thread when it is `def`. `version`
    changes whenever the same text could get another score; what one without a version says is never kept. `labels` is
    the closed set of labels it may give, or None where any may come.

    `windowed` says that only the text counts, and that reading a side passage by passage, or a text in overlapping
    windows, and merging the scores (highest number, union of labels) gives what reading it whole would. Then verdicts
    on texts that come again are kept; where it is False a stream is held until its end. A windowed metric that reads
    `across` also reads the borders of messages, for what is split over them.

    `of_turn` says that no text is read, only whose turn it is, so that every part of a text gives the same. Metrics
    that name the same work as `shared` measure a side one after the other in one thread: the first does that work for
    all, and a thread for each would cost more than the rest.
    """

    name: str
    measure: Measure
    kind: Kind = "number"
    version: str = ""
    sides: frozenset[Side] = frozenset(SIDES)
    cost: Cost = Cost.LOCAL
    labels: frozenset[str] | None = None
    windowed: bool = False
    across: bool = False
    of_turn: bool = False
    description: str = ""
    warm_up: Callable[[], object] | None = None
    shared: str = ""

    @property
    def waits(self) -> bool:
        """Whether it is to run on the loop, which it does not hold up."""
        return iscoroutinefunction(self.measure)


class Maker(BaseModel):
    """What a policy writes to declare a metric of its own: `{kind: keywords, words: [...]}`. One subclass a kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]

    def make(self, name: str, folder: Path) -> Metric:
        """The metric, under the policy's name for it. `folder` is what relative paths are relative to.

        Raises MetricError where what was written cannot work (a pattern that does not compile, a file that is missing).
        """
        raise NotImplementedError


def each_passage(read: Callable[[str], Score], *, decoded: bool = True, disguised: bool = True) -> Measure:
    """A measure function that reads a side's passages one by one and merges the scores.

    Each passage is read normalised, and with `decoded` also as what it says when base64, hex, … in it are decoded, with
    `disguised` l33t and its like too: those who look for words want that, those who look for numbers and keys do not.
    The spans that `read` gives are mapped back to the text as it was written.
    """

    def measure(turn: Turn, side: Side) -> Measurement:
        scores = [
            _located(read(view.text), view.original, number)
            for number, passage in enumerate(turn.passages(side))
            for view in views(passage, decoded=decoded, disguised=disguised)
        ]
        return merged(scores) if scores else read("")

    return measure


def _located(score: Score, original: Callable[[int, int], tuple[int, int]] | None, passage: int) -> Score:
    """The score with its spans in the original text of the passage with that number."""
    if not score.spans or (original is None and passage == 0):
        return score
    spans = []
    for span in score.spans:
        start, end = original(span.start, span.end) if original else (span.start, span.end)
        spans.append(Span(start, end, span.label, span.score, passage))
    return replace(score, spans=tuple(spans))


def as_measurement(value: object, kind: Kind | None = None) -> Measurement:
    """What a metric returned, as a measurement: a bool or number, a label, or a list of labels.

    Of another kind than declared it is a failure; without `kind` each of them will do.
    """
    if isinstance(value, Failure):
        return value
    if isinstance(value, Score):
        if not isinstance(value.value, _VALUES[kind] if kind else (float, int, tuple, str)):
            # A rule that compares it with something of the declared kind would be false, which reads as safe.
            return Failure(f"the metric gave {value.value!r:.80}, and its kind is {kind}")
        # NaN compares false with everything, so it would read as safe.
        bad = isinstance(value.value, float) and not math.isfinite(value.value)
        return Failure(f"the metric gave {value.value}, which is no number") if bad else value
    if isinstance(value, (bool, int, float)):
        return as_measurement(Score(float(value)), kind)
    if isinstance(value, str):
        return as_measurement(Score(value), kind)
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(label, str) for label in value):
        labels = tuple(sorted(value)) if isinstance(value, (set, frozenset)) else tuple(value)
        return as_measurement(Score(labels, labels=labels), kind)
    return Failure(f"a metric gives a number, a string or a list of strings, not {type(value).__name__}")
