"""A text as hashed n-grams: what the small local model sees of it, in training and at run time alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Hashes: TypeAlias = NDArray[np.uint64]

#: Slots are numbers below 2 ** BITS.
BITS = 18
#: Characters in a gram within words.
LENGTHS = (3, 4, 5)

_TOKEN = re.compile(r"\w+|[^\w\s]")
_SPACE = 32
# Odd 64-bit constants: the golden ratio, and the multipliers of MurmurHash3's finaliser.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_POWERS = np.multiply.accumulate(np.full(64, _BASE))
# One salt a kind of gram: those of characters at their length, words, pairs and skipped pairs at 1, 2 and 0.
_SALTS = np.multiply.accumulate(np.full(LENGTHS[-1] + 1, np.uint64(0xC4CEB9FE1A85EC53)))


def grams(texts: Sequence[str]) -> tuple[Integers, Integers]:
    """The slots of each text's n-grams, 0 … 2**BITS - 1, each once however often it occurs in the text.

    Lower-cased: character 3- to 5-grams within words, words and punctuation marks, pairs of them, and pairs that skip
    one. Gives the slots of all texts, one text after the other, and how many each text has: many short texts at once
    cost little more than one. Slots depend on the text alone: no seed, no platform. Any string is taken; linear time.
    """
    joined = " ".join(texts)
    of_text = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
    spans = np.array([match.span() for match in _TOKEN.finditer(joined)], np.int64).reshape(-1, 2)
    if not len(spans):
        return np.empty(0, np.int64), np.zeros(len(texts), np.int64)
    starts, lengths = spans[:, 0], spans[:, 1] - spans[:, 0]
    first = np.cumsum(lengths) - lengths
    place = np.arange(first[-1] + lengths[-1]) - np.repeat(first, lengths)
    inside = place + np.repeat(starts, lengths)
    codes = np.frombuffer(_lowered(joined).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    spaced = np.full(len(codes) + 2, _SPACE, np.uint64)
    spaced[inside + 1] = codes[inside]
    words = np.add.reduceat(codes[inside] * _POWERS[place % len(_POWERS)], first)
    found = np.unique(np.concatenate([*_of_characters(spaced, of_text), *_of_words(words, of_text[starts])]))
    return found & (2**BITS - 1), np.bincount(found >> BITS, minlength=len(texts))


def _lowered(text: str) -> str:
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    # A few characters grow when lower-cased (the dotted capital I), which would move all that follows.
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _of_characters(spaced: Hashes, of_text: Integers) -> Iterator[Integers]:
    """Grams that cross no space, except that they may begin or end with one. `spaced` has a space at either end."""
    is_space = spaced == _SPACE
    values = spaced
    crosses = np.zeros(len(spaced), bool)
    for length in range(2, LENGTHS[-1] + 1):
        values = values[:-1] * _BASE + spaced[length - 1 :]
        crosses = crosses[:-1] | is_space[length - 2 : -1] if length > 2 else crosses[:-1]
        if length in LENGTHS:
            at = np.flatnonzero(~crosses)
            # Its second character is never a space, so that is what tells the text; in `spaced` all stand one further.
            yield of_text[at] << BITS | _slots(values[at], length)


def _of_words(words: Hashes, of_text: Integers) -> Iterator[Integers]:
    yield of_text << BITS | _slots(words, 1)
    for step, values, kind in ((1, words[:-1] * _BASE + words[1:], 2), (2, words[:-2] * _MIX + words[2:], 0)):
        same = np.flatnonzero(of_text[:-step] == of_text[step:])
        yield of_text[same] << BITS | _slots(values[same], kind)


def _slots(values: Hashes, kind: int) -> Integers:
    """The upper bits of the values once mixed, so that near values lie far apart."""
    mixed = values ^ _SALTS[kind]
    mixed = (mixed ^ (mixed >> np.uint64(33))) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(33))) * _MIX
    return (mixed >> np.uint64(64 - BITS)).astype(np.int64)
