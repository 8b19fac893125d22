"""Where one message ends and the next begins: text that is split over them, read as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from guard.metrics.score import NOTHING, Score, Span

#: Characters read of what came before, all earlier messages together: the shorter the new text, the more of them, so
#: that many short pieces are seen together and a long text's border costs little beside the text itself.
BEFORE, LEAST = 240, 64
#: Characters read of the new text.
AFTER = 64
#: What ends a word and leaves no doubt that the next text begins another one.
_CLOSING = frozenset(".,;:!?…。！？)]}\"'”’»")  # noqa: RUF001 - the full stops of Chinese and Japanese


@dataclass(frozen=True, slots=True)
class Part:
    """Characters `start` to `end` of a joined text are those from `offset` on of passage `passage`, 0 the newest."""

    start: int
    end: int
    offset: int
    passage: int


@dataclass(frozen=True, slots=True)
class Joined:
    """The end of what came before and the start of the newest text, as one text."""

    text: str
    parts: tuple[Part, ...]

    def located(self, score: Score) -> Score:
        """What a score of the text says of its newest border, in the passages' own characters; else NOTHING.

        Labels count where a span of theirs reaches over that border, a number where its spans stand on both sides of
        it: what stands on one side only is for whoever reads that side whole, with all that is around it.
        """
        end, start = self.parts[-2].end, self.parts[-1].start
        over = [span for span in score.spans if span.start < end and span.end > start]
        if isinstance(score.value, tuple):
            labels = tuple(dict.fromkeys(span.label for span in over))
            numbers = {label: number for label, number in score.by_label.items() if label in labels}
            score = replace(score, value=labels, labels=labels, by_label=numbers)
        elif any(span.start < end for span in score.spans) and any(span.end > start for span in score.spans):
            over = list(score.spans)
        return replace(score, spans=tuple(part for span in over for part in self._split(span))) if over else NOTHING

    def _split(self, span: Span) -> Iterator[Span]:
        for part in self.parts:
            start, end = max(span.start, part.start), min(span.end, part.end)
            if start < end:
                shift = part.offset - part.start
                yield Span(start + shift, end + shift, span.label, span.score, part.passage)


class _Cut(NamedTuple):
    """What is read of a passage, and where that begins in it."""

    passage: int
    text: str
    offset: int


def joined(texts: Sequence[str]) -> Iterator[Joined]:
    """The last border of some texts: once with a space between them, once without where a word may go on over it."""
    cuts = _cuts(texts)
    if len(cuts) < 2:
        return
    spaced, glued = ([_between(one.text, other.text, glue) for one, other in pairwise(cuts)] for glue in (" ", ""))
    yield _join(cuts, spaced)
    if glued != spaced:
        yield _join(cuts, glued)


def _cuts(texts: Sequence[str]) -> list[_Cut]:
    """The newest text's start and as much before it as there is room for, in order; none where it says nothing."""
    *earlier, newest = texts
    cuts = [_Cut(0, newest[:AFTER], 0)]
    room = max(LEAST, BEFORE - len(newest))
    for back, text in enumerate(reversed(earlier), 1):
        offset = max(len(text) - room, 0)
        cuts.append(_Cut(-back, text[offset:], offset))
        room -= len(text)
        if room <= 0:
            break
    return [cut for cut in reversed(cuts) if cut.text.strip()] if cuts[0].text.strip() else []


def _between(before: str, after: str, glue: str) -> str:
    if before[-1].isspace() or after[0].isspace():
        return ""
    return " " if before[-1] in _CLOSING else glue


def _join(cuts: Sequence[_Cut], separators: Sequence[str]) -> Joined:
    parts, text = [], ""
    for cut, separator in zip(cuts, ["", *separators], strict=True):
        start = len(text) + len(separator)
        text += separator + cut.text
        parts.append(Part(start, len(text), cut.offset, cut.passage))
    return Joined(text, tuple(parts))
