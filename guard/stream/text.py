"""A text that grows, how far it may go out, and as what."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from io import SEEK_END, StringIO

from guard.stages.edit import Edit


class Text:
    """`received` characters taken in, of which those before `released_to` may go out, with the edits made in them."""

    def __init__(self) -> None:
        self.received = 0
        self.released_to = 0
        self._edits: list[Edit] = []
        # Appended to and sliced in linear time, which a string is not.
        self._characters = StringIO()

    def append(self, piece: str) -> None:
        """Take in the next piece."""
        self._characters.seek(0, SEEK_END)
        self._characters.write(piece)
        self.received += len(piece)

    def slice(self, start: int, end: int) -> str:
        """Characters start to end as they came."""
        self._characters.seek(start)
        return self._characters.read(max(end - start, 0))

    def release(self, to: int, edits: Iterable[Edit]) -> None:
        """Let the characters before `to` go out. The edits lie in what is new in it, and do not overlap."""
        self._edits += sorted(edits, key=lambda edit: edit.start)
        self.released_to = to

    def edited(self, start: int, end: int) -> str:
        """Characters start to end, all released, as they may be seen.

        What an edit puts in stands where the edit starts, whole; the rest of what it replaces is left out.
        """
        pieces: list[str] = []
        for number in range(bisect_right(self._edits, start, key=lambda edit: edit.end), len(self._edits)):
            edit = self._edits[number]
            if edit.start >= end:
                break
            if edit.start >= start:
                pieces += [self.slice(start, edit.start), edit.text]
            start = min(edit.end, end)
        return "".join((*pieces, self.slice(start, end)))

    def word_end(self, offset: int, near: int) -> int:
        """The end of a word at an offset or up to `near` characters before it; the offset itself where none is."""
        before = self.slice(max(offset - near, 0), offset)
        return offset - next((back for back, character in enumerate(reversed(before)) if character.isspace()), 0)
