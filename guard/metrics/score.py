"""What a metric gives back: a score, or a failure. A failure is its own thing, never a score of 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from guard.metrics.selector import Selector
from guard.metrics.turn import Side

Value: TypeAlias = float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Span:
    """Where in a side's text something stands.

    `start` and `end` count characters (code points) of the original text of passage number `passage` of that side,
    end exclusive. `score` is 0..1.
    """

    start: int
    end: int
    label: str
    score: float = 1.0
    passage: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """One measurement that succeeded.

    `value` is a float (kind number), a tuple of labels (kind labels) or one string (kind label). `labels` are the
    categories found: the value itself where the kind is labels, a number's categories where it has some, else None.
    No value (None) means that there was nothing to measure (`ABSENT`); no metric may say so.
    `by_label` is each category's own number, found or not, where the metric gives them. `model` names what measured.
    `characters` is how much was read where that was not the whole side. `began` is when it was measured (perf_counter);
    0 where nobody noted it.
    """

    value: Value
    labels: tuple[str, ...] | None = None
    spans: tuple[Span, ...] = ()
    reason: str = ""
    millis: float = 0.0
    model: str = ""
    by_label: Mapping[str, float] = field(default_factory=dict)
    characters: int | None = field(default=None, compare=False)
    began: float = field(default=0.0, compare=False, repr=False)


#: Says nothing, whatever the kind: what is merged with it stays as it is.
NOTHING = Score(())
#: A side holds texts, but none that a selector chooses. A missing value makes every rule false.
ABSENT = Score(None, characters=0)


@dataclass(frozen=True, slots=True)
class Failure:
    """One measurement that did not succeed: `error` says why; `timed_out` that it was late rather than wrong.

    `unstarted` says that it was late because it was never begun: more was to be measured than can be.
    """

    error: str
    millis: float = 0.0
    timed_out: bool = False
    unstarted: bool = False
    began: float = field(default=0.0, compare=False, repr=False)


Measurement: TypeAlias = Score | Failure


class Probe(NamedTuple):
    """One thing to measure: a metric on one side of the turn, or on what a selector chooses of it.

    Results are keyed by it.
    """

    metric: str
    of: Side
    only: Selector | None = None


Measurements: TypeAlias = Mapping[Probe, Measurement]


def found(spans: Iterable[Span], *, reason: str = "", model: str = "") -> Score:
    """A score of kind labels from the spans found: each label once, in the order met."""
    spans = tuple(spans)
    labels = tuple(dict.fromkeys(span.label for span in spans))
    return Score(labels, labels=labels, spans=spans, reason=reason, model=model)


def merged(scores: Iterable[Score]) -> Score:
    """One score for several pieces of text: the highest number or the union of labels, with everybody's spans.

    Raises ValueError where there is no score, or where they hold strings, which have no order.
    """
    scores = list(scores)
    if not scores:
        raise ValueError("nothing to merge")
    if len(scores) == 1:
        return scores[0]
    first = scores[0].value
    if first is None or isinstance(first, str):
        raise ValueError("scores of kind label, or without a value, cannot be merged; read the text whole")
    labels = None
    if any(score.labels is not None for score in scores):
        labels = tuple(dict.fromkeys(label for score in scores for label in score.labels or ()))
    spans = tuple(dict.fromkeys(span for score in scores for span in score.spans))
    top = scores[0] if isinstance(first, tuple) else max(scores, key=lambda score: score.value)  # type: ignore[arg-type, return-value] - all are numbers
    value = labels or () if isinstance(first, tuple) else top.value
    reason = next((score.reason for score in (top, *scores) if score.reason), "")
    by_label: dict[str, float] = {}
    for score in scores:
        for label, number in score.by_label.items():
            by_label[label] = max(number, by_label.get(label, number))
    millis, began = sum(score.millis for score in scores), min(score.began for score in scores)
    return Score(value, labels, spans, reason, millis, top.model, by_label, began=began)
