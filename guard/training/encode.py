"""Rows as the numbers that the network learns from: tokens, letter case, and what each column should say."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from guard.metrics.normalise import normalise
from guard.metrics.tokens import Tokens
from guard.training.augment import augmented
from guard.training.rows import Row
from guard.training.spec import Spec

#: A column or token nobody knows the truth of.
UNKNOWN = -1
#: Tokens of a context that are looked at around its best match, when it is longer than a pair.
_STEP = 32


@dataclass(frozen=True, slots=True)
class Encoded:
    """One window of a row. `columns` are 0..1 or UNKNOWN, one a column of the spec; `entities` one class a token;
    `words` two marks a token (prompt_injection, context_adherence). `known` allows classes of entities (0 or 1).
    """

    ids: NDArray[np.int32]
    types: NDArray[np.int8]
    columns: NDArray[np.float32]
    entities: NDArray[np.int8] | None
    known: NDArray[np.int8] | None
    words: NDArray[np.int8] | None
    weight: float
    row: Row


@dataclass(frozen=True, slots=True)
class Reading:
    """One window as the network reads it, with nothing said of its truth."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]


class Encoder:
    """Turns rows into windows: the whole row where it fits, else a part of it."""

    def __init__(self, spec: Spec, tokens: Tokens, entities: Sequence[str]) -> None:
        self._spec = spec
        self._tokens = tokens
        self._columns = {name: at for at, name in enumerate(spec.columns)}
        self._entities: Mapping[str, int] = {label: 1 + 2 * at for at, label in enumerate(entities)}
        self._cls, self._sep = tokens.nothing.ids

    def encoded(self, row: Row, chance: random.Random | None) -> Encoded:
        """One window of the row. With `chance` it is disturbed, and cut at random where it is long; without, it is
        its beginning (or of a pair the part of the context that has most of the response's words)."""
        if row.response is not None:
            return self._pair(row, chance)
        text = row.text
        if row.marks is None and not row.entities:
            text = normalise(text if chance is None else augmented(text, self._spec.augment, chance))
        whole = self._tokens._encoded(text)
        room = self._spec.window.tokens - 2
        start = 0 if chance is None else _start(len(whole.ids), room, row, whole, chance)
        part = slice(start, start + room)
        ids, offsets = whole.ids[part], whole.offsets[part]
        marks = row.marks if row.entities or row.marks is not None else None
        words = entities = known = None
        columns = self._truth(row)
        if row.entities:
            entities, known = self._classes(row, offsets), self._known(row)
        elif marks is not None:
            words = np.full((len(ids) + 2, 2), UNKNOWN, np.int8)
            words[1:-1, 0] = _inside(offsets, [(mark.start, mark.end) for mark in marks])
            if marks and not words[1:-1, 0].any():
                columns[self._columns["prompt_injection"]] = 0.0  # the cut left the attack out
        elif chance is not None and row.truth.get("prompt_injection") == 0:
            words = np.full((len(ids) + 2, 2), UNKNOWN, np.int8)
            words[1:-1, 0] = 0
        return Encoded(
            np.array([self._cls, *ids, self._sep], np.int32),
            np.concatenate([[0], cases(text, offsets), [0]]).astype(np.int8),
            columns, entities, known, words, row.weight, row,
        )  # fmt: skip

    def readings(self, row: Row) -> list[Reading]:
        """All windows of a row, as the run time cuts them; a pair has one, the best for its response."""
        if row.response is not None:
            pair = self._pair(row, None)
            return [Reading(pair.ids.astype(np.int64), pair.types.astype(np.int64))]
        text = normalise(row.text)
        whole = self._tokens._encoded(text)
        room, overlap = self._spec.window.tokens - 2, self._spec.window.overlap
        found = []
        for start in range(0, max(1, len(whole.ids) - overlap), room - overlap):
            part = slice(start, start + room)
            types = cases(text, whole.offsets[part])
            found.append(
                Reading(
                    np.array([self._cls, *whole.ids[part], self._sep], np.int64),
                    np.concatenate([[0], types, [0]]).astype(np.int64),
                )
            )
        return found

    def _pair(self, row: Row, chance: random.Random | None) -> Encoded:
        spec, response = self._spec.pair, row.response or ""
        first, second = self._tokens._encoded(row.text), self._tokens._encoded(response)
        answer = slice(0, spec.response)
        room = spec.tokens - 3 - len(second.ids[answer])
        start = _best(first.ids, second.ids, room) if len(first.ids) > room else 0
        part = slice(start, start + room)
        words = None
        if row.marks is not None:
            words = np.full((len(first.ids[part]) + len(second.ids[answer]) + 3, 2), UNKNOWN, np.int8)
            inside = _inside(second.offsets[answer], [(mark.start, mark.end) for mark in row.marks])
            words[-1 - len(inside) : -1, 1] = inside
        types = [[0], cases(row.text, first.offsets[part]), [0], cases(response, second.offsets[answer]) + 3, [3]]
        return Encoded(
            np.array([self._cls, *first.ids[part], self._sep, *second.ids[answer], self._sep], np.int32),
            np.concatenate(types).astype(np.int8),
            self._truth(row), None, None, words, row.weight, row,
        )  # fmt: skip

    def _truth(self, row: Row) -> NDArray[np.float32]:
        columns = np.full(len(self._columns), UNKNOWN, np.float32)
        for name, value in row.truth.items():
            columns[self._columns[name]] = value
        return columns

    def _classes(self, row: Row, offsets: Sequence[tuple[int, int]]) -> NDArray[np.int8]:
        classes = np.zeros(len(offsets) + 2, np.int8)
        for mark in row.marks or ():
            first = True
            for at, (start, end) in enumerate(offsets):
                if start < mark.end and end > mark.start:
                    classes[at + 1] = self._entities[mark.label] + (0 if first else 1)
                    first = False
        classes[0] = classes[-1] = UNKNOWN
        return classes

    def _known(self, row: Row) -> NDArray[np.int8]:
        known = np.zeros(1 + 2 * len(self._entities), np.int8)
        known[0] = 1
        for label in row.entities:
            known[self._entities[label]] = known[self._entities[label] + 1] = 1
        return known


def cases(text: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.int8]:
    """Letter case of each token: 2 for two capitals or more, 1 for a capital at its start, else 0."""
    found = np.zeros(len(offsets), np.int8)
    for at, (start, end) in enumerate(offsets):
        piece = text[start:end]
        if end - start > 1 and piece.isupper():
            found[at] = 2
        elif piece[:1].isupper():
            found[at] = 1
    return found


def _start(length: int, room: int, row: Row, whole: Encoding, chance: random.Random) -> int:
    """Where to cut a long text: at its beginning, or anywhere; a marked one where the marks are seen."""
    if length <= room:
        return 0
    if row.marks and not row.entities and chance.random() < 0.9:
        mark = row.marks[0]
        at = next((at for at, (_, end) in enumerate(whole.offsets) if end > mark.start), 0)
        return min(max(0, at - chance.randrange(room * 3 // 4)), length - room)
    return 0 if chance.random() < 0.4 else chance.randrange(length - room + 1)


def _best(context: Sequence[int], response: Sequence[int], room: int) -> int:
    """The start of the part of a context that has most of the response's tokens, the rare ones counting more."""
    wanted = {token: 1 / math.log(2 + context.count(token)) for token in set(response)}
    gains = np.array([wanted.get(token, 0.0) for token in context])
    starts = [*range(0, len(context) - room, _STEP), len(context) - room]
    return max(starts, key=lambda start: gains[start : start + room].sum())


def _inside(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[int]:
    return [int(any(start < last and end > first for first, last in spans)) for start, end in offsets]
