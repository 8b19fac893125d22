"""Entities that a token head tags: persons, places, … with their characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from guard.metrics.encoder.facts import EVEN, Facts
from guard.metrics.encoder.reading import Reading, softmax
from guard.metrics.score import Span


class _Word(NamedTuple):
    """The likeliest label of a word, how likely it is, whether it begins an entity there, and its characters."""

    label: str
    score: float
    begins: bool
    start: int
    end: int


def entities(reading: Reading, said: Facts, head: str) -> list[Span]:
    """The entities in the text that was read, in order, without overlaps; their score is the mean of their words'.

    The head's tags are O, B-LABEL and I-LABEL. A word has the likeliest label whose share, over its tokens, reaches the
    head's threshold for it (even odds where it has none). Words of one label that follow each other are one entity,
    unless a word rather begins one.
    """
    found: list[list[_Word]] = []
    last = -2
    for number, word in _words(reading, said, head):
        if found and number == last + 1 and word.label == found[-1][-1].label and not word.begins:
            found[-1].append(word)
        else:
            found.append([word])
        last = number
    return [
        Span(words[0].start, words[-1].end, words[0].label, sum(word.score for word in words) / len(words))
        for words in found
    ]


def _words(reading: Reading, said: Facts, head: str) -> Iterator[tuple[int, _Word]]:
    """The words that are part of an entity, by their number."""
    tags = said.tags(head)
    labels = [tag.removeprefix("B-") for tag in tags if tag.startswith("B-")]
    if not labels or not len(reading.words):
        return
    shares = softmax(reading.tokens[:, list(tags.values())])
    at = {tag: number for number, tag in enumerate(tags)}
    begins, inside = (shares[:, [at[f"{part}-{label}"] for label in labels]] for part in "BI")
    firsts = np.flatnonzero(np.diff(reading.words, prepend=-1))
    lengths = np.diff(firsts, append=len(reading.words))
    words = np.add.reduceat(begins + inside, firsts) / lengths[:, None]
    thresholds = said.heads[head].thresholds
    reached = np.where(words >= np.array([thresholds.get(label, EVEN) for label in labels], np.float32), words, 0)
    for number in np.flatnonzero(reached.any(axis=1)):
        label, first = int(reached[number].argmax()), firsts[number]
        start, end = int(reading.offsets[first, 0]), int(reading.offsets[first + lengths[number] - 1, 1])
        opens = bool(begins[first, label] > inside[first, label])
        yield int(number), _Word(labels[label], float(reached[number, label]), opens, start, end)
