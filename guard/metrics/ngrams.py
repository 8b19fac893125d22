"""The small local model: linear heads on hashed n-grams, read window by window. Only numpy runs here."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.metrics.grams import grams
from guard.metrics.metric import Cost, Metric, each_passage
from guard.metrics.score import Score, Span
from guard.metrics.windows import windows

Row: TypeAlias = NDArray[np.float64]
Table: TypeAlias = NDArray[np.float64]

FOLDER = Path(__file__).parent / "models" / "ngrams"
#: From here on a piece counts as offending: attack and harmless text are even odds.
EVEN = 0.5
#: Both heads read the same text: the second one finds it here. Longer texts are not kept.
KEPT_TEXTS, KEPT_CHARACTERS = 64, 20_000

#: Pieces of a text that are read at once; more would only take more memory.
BATCH = 256

# Of 20 characters at least, since fewer say too little alone, and of 160 at most.
_SENTENCE = re.compile(r".{20,160}?(?:[.!?\n…。]+|\Z)|.{20,160}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Label:
    """One category of a head: reported from `threshold` on, where the head's own value is at least `floor`."""

    name: str
    column: int
    threshold: float
    floor: float


@dataclass(frozen=True, slots=True)
class Head:
    """One number the model gives. With `names_one`, an offending piece always gets its likeliest label."""

    name: str
    column: int
    labels: tuple[Label, ...]
    names_one: bool


class Model:
    """The weights and what they mean. Raises MetricError where the weights are not those the model was shipped with."""

    def __init__(self, folder: Path = FOLDER) -> None:
        facts = _facts(folder)
        weights = (folder / "weights.npz").read_bytes()
        if hashlib.sha256(weights).hexdigest() != facts["sha256"]:
            raise MetricError(
                f"{folder / 'weights.npz'} is not the file that {folder / 'model.json'} names; install Guard again, "
                "or train both anew with `python -m guard.training.ngrams`"
            )
        self.name = f"{facts['name']}+{facts['sha256'][:8]}"
        self.heads = tuple(_head(head) for head in facts["heads"])
        self._size, self._overlap = facts["window"]["size"], facts["window"]["overlap"]
        self._table: NDArray[np.int8] = np.load(io.BytesIO(weights), allow_pickle=False)["table"]
        self._scales = np.array(facts["scales"])
        self._biases = np.array(facts["biases"])

    def probabilities(self, texts: Sequence[str]) -> Table:
        """What each column of the model makes of each text, read in one piece: texts by columns, 0..1."""
        slots, counts = grams(texts)
        sums = np.zeros((len(texts), len(self._scales)), np.float32)
        if len(slots):
            said = counts > 0
            sums[said] = np.add.reduceat(self._table[slots].astype(np.float32), (np.cumsum(counts) - counts)[said])
        logits = sums / np.sqrt(np.maximum(counts, 1))[:, None] * self._scales + self._biases
        return 1 / (1 + np.exp(-logits))

    def read(self, text: str) -> Mapping[str, Score]:
        """The score of each head by its name: the highest of any piece, with the pieces that are offending."""
        places = pieces(text, self._size, self._overlap)
        batches = (places[at : at + BATCH] for at in range(0, len(places), BATCH))
        table = np.concatenate([self.probabilities([text[start:end] for start, end in batch]) for batch in batches])
        return {head.name: self._score(head, text, places, table) for head in self.heads}

    def _score(self, head: Head, text: str, places: list[tuple[int, int]], table: Table) -> Score:
        names: dict[str, None] = {}
        spans: dict[tuple[int, int], list[Span]] = {}
        for place, row in zip(places, table, strict=True):
            labels = _labels(head, row)
            names.update(dict.fromkeys(label.name for label in labels))
            if row[head.column] >= EVEN and not labels:
                labels = [Label(head.name, head.column, EVEN, EVEN)]
            columns = [head.column if head.names_one else label.column for label in labels]
            trimmed = _trimmed(text, *place)
            found = [Span(*trimmed, label.name, float(row[at])) for label, at in zip(labels, columns, strict=True)]
            if found:
                spans[trimmed] = found
        own = table[:, [label.column for label in head.labels]]
        if head.names_one:
            # These columns say which kind of attack a text is if it is one.
            own = own * table[:, [head.column]]
        by_label = dict(zip((label.name for label in head.labels), own.max(axis=0).tolist(), strict=True))
        value = float(table[:, head.column].max())
        return Score(value, tuple(names), _innermost(spans), model=self.name, by_label=by_label)


def pieces(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    """The pieces of a text that are read: windows for what takes a few sentences to say, then each sentence.

    A sentence alone, since the harmless text around an attack would outweigh it.
    """
    found = dict.fromkeys(windows(text, size, overlap))
    found.update(dict.fromkeys(match.span() for match in _SENTENCE.finditer(text)))
    return list(found) or [(0, 0)]


def _labels(head: Head, row: Row) -> list[Label]:
    value = row[head.column]
    found = [label for label in head.labels if row[label.column] >= label.threshold and value >= label.floor]
    if not found and head.names_one and value >= EVEN:
        found = [max(head.labels, key=lambda label: row[label.column])]
    return found


def _innermost(spans: Mapping[tuple[int, int], Sequence[Span]]) -> tuple[Span, ...]:
    """The spans in order, without those that only are offending because of a smaller one within them."""
    kept: list[Span] = []
    nearest_end = float("inf")
    for place in sorted(spans, key=lambda place: (place[0], -place[1]), reverse=True):
        if place[1] < nearest_end:
            nearest_end = place[1]
            kept += spans[place]
    return tuple(reversed(kept))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip())


def _facts(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def _head(facts: Mapping[str, Any]) -> Head:
    return Head(facts["name"], facts["column"], tuple(Label(**label) for label in facts["labels"]), facts["names_one"])


@cache
def model() -> Model:
    """The shipped model, loaded once. Raises MetricError where its weights were changed."""
    return Model()


def prompt_injection() -> Metric:
    """How much a text reads like an attempt to override, hijack or trick the model; the labels name the kinds of it."""
    return _metric("prompt_injection", "a text that tries to override, hijack or trick the model")


def toxicity() -> Metric:
    """How much a text attacks, threatens or degrades; the labels name the kinds of it."""
    return _metric("toxicity", "insults, threats, hate and other abuse")


def _metric(name: str, description: str) -> Metric:
    head = next(head for head in model().heads if head.name == name)
    return Metric(
        name,
        each_passage(lambda text: _read(text)[name]),
        version=model().name,
        cost=Cost.LOCAL,
        labels=frozenset(label.name for label in head.labels),
        windowed=True,
        description=description,
    )


def _read(text: str) -> Mapping[str, Score]:
    return _kept(text) if len(text) <= KEPT_CHARACTERS else model().read(text)


@lru_cache(KEPT_TEXTS)
def _kept(text: str) -> Mapping[str, Score]:
    return model().read(text)
