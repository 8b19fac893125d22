"""What the network sees, in order: units drawn by share, cut into windows, batched by length, twins together."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from guard.training.encode import UNKNOWN, WORD_HEADS, Encoder, Example
from guard.training.rows import Unit

#: About so many units are sorted by length together: enough for even batches, few enough for a round to be well mixed.
POOL = 1500


class Drawer(Protocol):
    """Something that units are drawn from."""

    def draw(self, number: int, chance: random.Random) -> Unit:
        """The unit of a number, counted from 0 without end: the same one for the same number and chance."""
        ...


class Deck:
    """Units in a random order, another one each time through; each comes once before any comes again."""

    def __init__(self, units: Sequence[Unit], seed: int = 0) -> None:
        self._units = units
        self._seed = seed
        self._order: Sequence[int] = ()
        self._time = -1

    def draw(self, number: int, chance: random.Random) -> Unit:
        """The unit at a place of the deck, which follows from number and seed alone."""
        time, place = divmod(number, len(self._units))
        if time != self._time:
            every = range(len(self._units))
            self._time, self._order = time, random.Random(f"{self._seed} {time}").sample(every, len(every))
        return self._units[self._order[place]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of about one length, padded: ids, types, mask (batch by length), and what they should say."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    mask: NDArray[np.int64]
    columns: NDArray[np.float32]
    entities: NDArray[np.int64]
    known: NDArray[np.float32]
    words: NDArray[np.float32]
    weights: NDArray[np.float32]


class Stream:
    """Batches without end. Pool number n follows from the seed and n alone, so a run may go on anywhere."""

    def __init__(self, drawers: Mapping[str, tuple[Drawer, float]], encoder: Encoder, tokens: int, seed: int) -> None:
        total = sum(share for _, share in drawers.values())
        self._drawers = [(drawer, share / total * POOL) for drawer, share in drawers.values()]
        self._encoder = encoder
        self._tokens = tokens
        self._seed = seed

    def pool(self, number: int) -> list[Batch]:
        """The batches of one pool of units."""
        chance = random.Random(f"{self._seed} {number}")
        units = [
            drawer.draw(at, chance)
            for drawer, each in self._drawers
            for at in range(int(each * number), int(each * (number + 1)))
        ]
        drawn = [[self._encoder.example(row, chance) for row in unit] for unit in units]
        drawn.sort(key=lambda unit: (max(map(_length, unit)), chance.random()))
        batches = [batch(group, self._encoder.classes) for group in _groups(drawn, self._tokens)]
        chance.shuffle(batches)
        return batches


def batch(examples: Sequence[Example], classes: int) -> Batch:
    """Examples padded to the longest."""
    size, length = len(examples), max(map(_length, examples))

    def padded(values: Sequence[NDArray[Any] | None], filler: float, kind: Any, *shape: int) -> NDArray[Any]:
        whole = np.full((size, length, *shape), filler, kind)
        for at, value in enumerate(values):
            if value is not None:
                whole[at, : len(value)] = value
        return whole

    anything = np.ones(classes, np.float32)
    return Batch(
        padded([example.window.ids for example in examples], 0, np.int64),
        padded([example.window.types for example in examples], 0, np.int64),
        padded([np.ones_like(example.window.ids) for example in examples], 0, np.int64),
        np.stack([example.columns for example in examples]),
        padded([example.entities for example in examples], UNKNOWN, np.int64),
        np.stack([anything if example.known is None else example.known for example in examples]),
        padded([example.words for example in examples], UNKNOWN, np.float32, len(WORD_HEADS)),
        np.array([example.weight for example in examples], np.float32),
    )


def _length(example: Example) -> int:
    return len(example.window.ids)


def _groups(units: Sequence[Sequence[Example]], tokens: int) -> Iterator[list[Example]]:
    group: list[Example] = []
    for unit in units:
        longest = max(map(_length, unit))
        if group and (len(group) + len(unit)) * longest > tokens:
            yield group
            group = []
        group += unit
    if group:
        yield group
