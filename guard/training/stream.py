"""What the network sees, in order: units drawn by share, cut into windows, batched by length, twins together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from guard.training.encode import UNKNOWN, Encoded, Encoder
from guard.training.rows import Unit

#: Units that are sorted by length together: enough for even batches, few enough for a round to be well mixed.
POOL = 1500


class Drawer(Protocol):
    """Something that units are drawn from."""

    def draw(self, chance: random.Random) -> Unit:
        """The next unit."""
        ...


class Deck:
    """Units in a random order, each once before any comes again."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = units
        self._left: list[int] = []

    def draw(self, chance: random.Random) -> Unit:
        """The next unit of the deck."""
        if not self._left:
            self._left = chance.sample(range(len(self._units)), len(self._units))
        return self._units[self._left.pop()]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of about one length, padded: ids, types, mask (batch × length), and what they should say."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    mask: NDArray[np.int64]
    columns: NDArray[np.float32]
    entities: NDArray[np.int64]
    known: NDArray[np.float32]
    words: NDArray[np.float32]
    weights: NDArray[np.float32]


class Stream:
    """Batches without end. Pool number n depends on the seed and n alone but for the order of the decks."""

    def __init__(
        self, drawers: Mapping[str, tuple[Drawer, float]], encoder: Encoder, classes: int, tokens: int, seed: int
    ) -> None:
        self._drawers = [(drawer, share) for drawer, share in drawers.values() if share > 0]
        self._encoder = encoder
        self._classes = classes
        self._tokens = tokens
        self._seed = seed

    def pool(self, number: int) -> list[Batch]:
        """The batches of one pool of units."""
        chance = random.Random(f"{self._seed} {number}")
        drawers = chance.choices([drawer for drawer, _ in self._drawers], [share for _, share in self._drawers], k=POOL)
        drawn = [[self._encoder.encoded(row, chance) for row in drawer.draw(chance)] for drawer in drawers]
        drawn.sort(key=lambda unit: (max(len(window.ids) for window in unit), chance.random()))
        batches = [batch(group, self._classes) for group in _groups(drawn, self._tokens)]
        chance.shuffle(batches)
        return batches


def batch(windows: Sequence[Encoded], classes: int) -> Batch:
    """Windows padded to the longest."""
    size, length = len(windows), max(len(window.ids) for window in windows)

    def padded(get: Callable[[Encoded], NDArray[Any] | None], filler: float, kind: Any, *shape: int) -> NDArray[Any]:
        whole = np.full((size, length, *shape), filler, kind)
        for at, window in enumerate(windows):
            values = get(window)
            if values is not None:
                whole[at, : len(values)] = values
        return whole

    allowed = np.ones((size, classes), np.float32)
    for at, window in enumerate(windows):
        if window.known is not None:
            allowed[at] = window.known
    return Batch(
        padded(lambda window: window.ids, 0, np.int64),
        padded(lambda window: window.types, 0, np.int64),
        padded(lambda window: np.ones(len(window.ids)), 0, np.int64),
        np.stack([window.columns for window in windows]),
        padded(lambda window: window.entities, UNKNOWN, np.int64),
        allowed,
        padded(lambda window: window.words, UNKNOWN, np.float32, 2),
        np.array([window.weight for window in windows], np.float32),
    )


def _groups(units: Sequence[Sequence[Encoded]], tokens: int) -> Iterator[list[Encoded]]:
    group: list[Encoded] = []
    for unit in units:
        longest = max(len(window.ids) for window in unit)
        if group and (len(group) + len(unit)) * longest > tokens:
            yield group
            group = []
        group += unit
    if group:
        yield group
