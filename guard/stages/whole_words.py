"""Words of one's own in a text, each with what stands for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: Where a word may begin: not inside another one.
START = re.compile(r"(?<!\w)\S")
_WORD = re.compile(r"\w")


class Found(NamedTuple):
    """Characters start to end, exclusive, and what stands for them."""

    start: int
    end: int
    stand_in: str


class WholeWords:
    """Words and phrases to look for. A search costs more the more lengths they have, however many there are."""

    def __init__(self) -> None:
        self.stand_ins: dict[str, str] = {}
        self.lengths: set[int] = set()

    def add(self, word: str, stand_in: str) -> None:
        """Look for a word too; what stood for it first goes on to."""
        self.stand_ins.setdefault(word, stand_in)
        self.lengths.add(len(word))

    def found(self, text: str, before: str = "") -> Iterator[Found]:
        """Where one stands whole, the longest at a place, in order and without overlap; `before` stands before it."""
        at, lengths = int(bool(_WORD.fullmatch(before[-1:]))), sorted(self.lengths, reverse=True)
        for match in START.finditer(text) if lengths else ():
            start = match.start()
            for length in lengths if start >= at else ():
                end = start + length
                stand_in = self.stand_ins.get(text[start:end])
                if stand_in is not None and not _WORD.match(text, end):
                    yield Found(start, end, stand_in)
                    at = end
                    break
