"""One label per stretch of text: which of the overlapping findings stand."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable

from guard.metrics.score import Span


def resolved(spans: Iterable[Span], weight: Callable[[Span], float] = lambda span: span.score) -> tuple[Span, ...]:
    """The findings without overlaps, in text order.

    Overlapping findings of one label become one, with the higher score. Of two labels the weightier finding stands (by
    default the surer one), then the longer one, and what it leaves of the other: no character that was found is lost.
    """
    starts: list[int] = []
    kept: list[Span] = []
    for span in sorted(joined(spans), key=lambda span: (-weight(span), span.start - span.end, span.start)):
        for start, end in _left(span, kept, bisect(starts, span.start)):
            at = bisect(starts, start)
            starts.insert(at, start)
            kept.insert(at, Span(start, end, span.label, span.score))
    return tuple(kept)


def _left(span: Span, kept: list[Span], at: int) -> list[tuple[int, int]]:
    """The stretches of a finding that none of the kept ones covers; `at` is the first that starts behind its start."""
    left = []
    start = max(span.start, kept[at - 1].end) if at else span.start
    while at < len(kept) and kept[at].start < span.end:
        if start < kept[at].start:
            left.append((start, kept[at].start))
        start = kept[at].end
        at += 1
    return [*left, (start, span.end)] if start < span.end else left


def joined(spans: Iterable[Span]) -> list[Span]:
    """The findings with those of one label that overlap made one, with the highest score; by label, then in order."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.label, span.start)):
        last = joined[-1] if joined else None
        if last and last.label == span.label and span.start < last.end:
            joined[-1] = Span(last.start, max(last.end, span.end), span.label, max(last.score, span.score))
        else:
            joined.append(span)
    return joined
