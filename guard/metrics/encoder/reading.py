"""What the encoder makes of one text: every head's numbers, window by window and token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from guard.metrics.encoder.facts import Facts
from guard.metrics.encoder.tokenised import Range, Tokenised

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """The outputs of one forward pass: C `columns`, L by T `tokens` (special ones included), D numbers `embedding`."""

    columns: Floats
    tokens: Floats
    embedding: Floats

    @property
    def size(self) -> int:
        """Bytes."""
        return _bytes(self.columns, self.tokens, self.embedding)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A text of N tokens in W windows, special tokens not counted. Everybody shares its arrays: never write to them.

    `columns` are raw logits and `probabilities` what they mean, both W by C; `embeddings` W by D; `ranges` says which
    tokens each window reads. By token: `offsets` (N by 2) are its characters in the text that was read, `words` the
    number of its word, `tokens` (N by T) its logits, where windows overlap from the one that sees more around it.
    A text that has no tokens has no windows either.
    """

    columns: Floats
    probabilities: Floats
    embeddings: Floats
    ranges: tuple[Range, ...]
    offsets: NDArray[np.int32]
    words: NDArray[np.int32]
    tokens: Floats

    @classmethod
    def of(cls, facts: Facts, text: Tokenised, ranges: Sequence[Range], passes: Sequence[Pass]) -> Reading:
        """One reading from the passes over its windows; of a text without any, from one pass over nothing."""
        count = len(ranges)
        columns = np.stack([one.columns for one in passes])[:count]
        embeddings = np.stack([one.embedding for one in passes])[:count]
        tokens = joined(ranges or [(0, 0)], [one.tokens[1:-1] for one in passes])
        return cls(columns, probabilities(facts, columns), embeddings, tuple(ranges), text.offsets, text.words, tokens)

    @property
    def lengths(self) -> list[int]:
        """Tokens in each window."""
        return [end - first for first, end in self.ranges]

    @property
    def windows(self) -> list[Range]:
        """The characters that each window reads, as (start, end)."""
        return [(int(self.offsets[first, 0]), int(self.offsets[end - 1, 1])) for first, end in self.ranges]

    @property
    def size(self) -> int:
        """Bytes."""
        arrays = (self.columns, self.probabilities, self.embeddings, self.offsets, self.words, self.tokens)
        return _bytes(*arrays)


def probabilities(facts: Facts, columns: Floats) -> Floats:
    """What raw logits mean, after each column's scale and bias."""
    scales, biases = facts.calibration
    return sigmoid(columns * scales + biases)


def sigmoid(logits: Floats) -> Floats:
    """0..1, without overflow."""
    return ((np.tanh(logits / 2) + 1) / 2).astype(np.float32, copy=False)


def softmax(logits: Floats) -> Floats:
    """Shares of 1 along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def joined(ranges: Sequence[Range], rows: Sequence[Floats]) -> Floats:
    """One row a token: in what two windows share, the first half from the earlier one."""
    if len(rows) == 1:
        return rows[0]
    kept = []
    begin = 0
    for number, (first, end) in enumerate(ranges):
        stop = (ranges[number + 1][0] + end + 1) // 2 if number + 1 < len(ranges) else end
        kept.append(rows[number][begin - first : stop - first])
        begin = stop
    return np.concatenate(kept)


def _bytes(*arrays: NDArray[Any]) -> int:
    return sum(array.nbytes for array in arrays)
