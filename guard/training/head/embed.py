"""Texts as the encoder's embeddings: every text whole, a thread a core, a bounded number of texts in hand."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guard.evaluate.rows import Row
from guard.metrics.encoder import Encoder, Reading
from guard.metrics.encoder.reading import Floats
from guard.metrics.normalise import normalise

#: Windows of all texts together: 3 KB each, so some 1.5 GB.
MOST_WINDOWS = 500_000
#: Texts in hand, for each thread.
IN_HAND = 8


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """M windows of N texts, text by text: `embeddings` M x D, the number of each window's text, its tokens."""

    embeddings: Floats
    owners: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @property
    def count(self) -> int:
        """N."""
        return int(self.owners[-1]) + 1 if len(self.owners) else 0

    @property
    def windows(self) -> NDArray[np.int64]:
        """How many each text has."""
        return np.bincount(self.owners, minlength=self.count)

    def of(self, rows: NDArray[np.bool_]) -> Texts:
        """Only these texts (a mask of N)."""
        mine = rows[self.owners]
        numbers = np.cumsum(rows) - 1
        return Texts(self.embeddings[mine], numbers[self.owners[mine]], self.lengths[mine])

    def means(self) -> Texts:
        """Each text in one window: the mean of its own, by their tokens."""
        if len(self.owners) == self.count:
            return self
        starts = np.flatnonzero(np.diff(self.owners, prepend=-1))
        tokens = np.add.reduceat(self.lengths, starts)
        shares = (self.lengths / tokens[self.owners]).astype(np.float32)
        means = np.add.reduceat(self.embeddings * shares[:, None], starts, axis=0)
        return Texts(means, np.arange(self.count), tokens)


def embedded(rows: Iterable[tuple[Row, str]], model: Encoder, moved: Callable[[], object]) -> Texts:
    """The texts of rows in their order; `moved` hears of each. Raises SettingsError where one cannot be read."""
    buffer, windows, lengths = bytearray(), [], []
    for row, reading in _read(rows, model):
        if not len(reading.ranges):
            raise row.refused("the encoder finds nothing to read in this text; leave the row out")
        buffer += np.ascontiguousarray(reading.embeddings, np.float32).tobytes()
        windows.append(len(reading.ranges))
        lengths += reading.lengths
        if len(lengths) > MOST_WINDOWS:
            raise row.refused(f"the texts so far take {MOST_WINDOWS:,} windows; give fewer or shorter ones")
        moved()
    embeddings = np.frombuffer(buffer, np.float32).reshape(len(lengths), -1)
    return Texts(embeddings, np.repeat(np.arange(len(windows)), windows), np.array(lengths))


def _read(rows: Iterable[tuple[Row, str]], model: Encoder) -> Iterator[tuple[Row, Reading]]:
    waiting: deque[tuple[Row, Future[Reading]]] = deque()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        try:
            for row, text in rows:
                # As a head reads it at run time.
                waiting.append((row, pool.submit(lambda text=text: model.read(normalise(text)))))
                if len(waiting) > IN_HAND * threads:
                    yield _done(*waiting.popleft())
            while waiting:
                yield _done(*waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()


def _done(row: Row, future: Future[Reading]) -> tuple[Row, Reading]:
    try:
        return row, future.result()
    except ValueError as error:
        raise row.refused(f"{error}; cut it, or leave it out") from None
