"""A text as the encoder's tokens, and the windows in which they are read."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from guard.metrics.encoder.case import letter_cases
from guard.metrics.encoder.cut import cut
from guard.metrics.encoder.sentences import sentences
from guard.metrics.tokens import Tokens

#: (first, end) in tokens or in characters, end exclusive.
Range: TypeAlias = tuple[int, int]

#: Some two million characters of prose, and most of a minute of one core. A text of more is refused.
MOST_TOKENS = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class Tokenised:
    """N tokens without special ones: their ids, letter cases (0..2), characters in the text (N by 2) and words."""

    ids: NDArray[np.int64]
    cases: NDArray[np.int64]
    offsets: NDArray[np.int32]
    words: NDArray[np.int32]

    @classmethod
    def of(cls, text: str, tokens: Tokens) -> Tokenised:
        """The whole text. Raises ValueError where it has more than MOST_TOKENS: no text is read in part."""
        pieces = tokens.pieces(text, MOST_TOKENS)
        cases = np.array(letter_cases(text, pieces.offsets.tolist()), np.int64)
        return cls(pieces.ids, cases, pieces.offsets, pieces.words)

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, first: int, end: int) -> Tokenised:
        """The tokens from `first` up to `end`."""
        place = slice(first, end)
        return Tokenised(self.ids[place], self.cases[place], self.offsets[place], self.words[place])

    def within(self, start: int, end: int) -> Range:
        """Which tokens begin among the characters from `start` up to `end`."""
        first, last = np.searchsorted(self.offsets[:, 0], (start, end))
        return int(first), int(last)

    def windows(self, text: str, size: int, overlap: int) -> list[Range]:
        """The tokens in windows of at most `size`, cut where the text's sentences end; one where all fit."""
        if len(self) <= size:
            return [(0, len(self))] if len(self) else []
        begins = self.offsets[:, 0].tolist()
        starts = sorted({bisect_left(begins, start) for start, _ in sentences(text)})
        return list(cut(self.words.tolist(), starts, size, overlap))
