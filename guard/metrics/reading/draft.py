"""A text that is being rewritten and remembers where each part of it came from."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Edit(NamedTuple):
    """`text` stands instead of the characters `start` to `end`; `aligned` says that they match one for one."""

    start: int
    end: int
    text: str
    aligned: bool = False


class Origin:
    """Maps a span of a rewritten text back to the text it was made from.

    What was not edited maps to exactly its characters, as does an aligned edit; a span that touches another edit maps
    to the whole of what that edit replaced. Memory grows with the number of edits, not with the text.
    """

    __slots__ = ("_after", "_aligned", "_before", "_ends", "_previous", "_starts")

    def __init__(self, previous: Origin | None) -> None:
        self._previous = previous
        # Per edit: its start and end in the rewritten text, then its start and end in the text before.
        self._starts, self._ends = array("I"), array("I")
        self._before, self._after = array("I"), array("I")
        self._aligned = bytearray()

    def __call__(self, start: int, end: int) -> tuple[int, int]:
        """The span of the first text that this span of the last one stands for; an empty one for an empty one."""
        first = self._first(start)
        last = self._last(end) if end > start else first
        return self._previous(first, last) if self._previous else (first, last)

    def add(self, at: int, edit: Edit) -> None:
        """Note an edit whose text stands at `at` of the rewritten text; edits come in order."""
        if (
            edit.aligned
            and self._aligned
            and self._aligned[-1]
            and self._after[-1] == edit.start
            and self._ends[-1] == at
        ):
            self._ends[-1] += len(edit.text)
            self._after[-1] = edit.end
            return
        self._starts.append(at)
        self._ends.append(at + len(edit.text))
        self._before.append(edit.start)
        self._after.append(edit.end)
        self._aligned.append(edit.aligned)

    def _first(self, position: int) -> int:
        number = bisect_right(self._starts, position) - 1
        if number < 0:
            return position
        if position >= self._ends[number]:
            return self._after[number] + position - self._ends[number]
        return self._before[number] + (position - self._starts[number] if self._aligned[number] else 0)

    def _last(self, position: int) -> int:
        number = bisect_right(self._starts, position - 1) - 1
        if number < 0:
            return position
        if position > self._ends[number]:
            return self._after[number] + position - self._ends[number]
        return self._before[number] + position - self._starts[number] if self._aligned[number] else self._after[number]


@dataclass(frozen=True, slots=True)
class Draft:
    """A text and, where it differs from the original, its origin."""

    text: str
    origin: Origin | None = None

    def edited(self, edits: Iterable[Edit]) -> Draft:
        """The draft after `edits`, which are in order and do not overlap."""
        origin = Origin(self.origin)
        pieces: list[str] = []
        read = written = 0
        for edit in edits:
            pieces += (self.text[read : edit.start], edit.text)
            at = written + edit.start - read
            origin.add(at, edit)
            read, written = edit.end, at + len(edit.text)
        if not pieces:
            return self
        pieces.append(self.text[read:])
        return Draft("".join(pieces), origin)
