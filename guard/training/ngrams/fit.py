"""From rows to weights: linear heads by logistic regression, in eight bits, calibrated on rows held out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from guard.metrics.grams import BITS, grams
from guard.metrics.ngrams import pieces
from guard.metrics.windows import windows
from guard.training.ngrams.rows import Row
from guard.training.ngrams.spec import HeadSpec, Spec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Features:
    """The windows of some rows: a matrix of windows by slots, and the number of the row each window is of."""

    matrix: csr_matrix
    of_row: NDArray[np.int64]
    rows: Sequence[Row]

    def known(self, column: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the rows of which a column is known, and what it is."""
        at = np.array([number for number, row in enumerate(self.rows) if column in row.truth], np.int64)
        return at, np.array([self.rows[number].truth[column] for number in at], np.int64)

    def highest(self, logits: Floats) -> Floats:
        """Each row's highest logit of any of its windows."""
        found = np.full(len(self.rows), -np.inf)
        np.maximum.at(found, self.of_row, logits)
        return found


@dataclass(frozen=True, slots=True)
class Column:
    """Weights in eight bits.

    A text's logit is their sum over its grams, divided by the square root of how many those are,
    times `scale`, plus `bias`.
    """

    weights: NDArray[np.int8]
    scale: float
    bias: float
    threshold: float = 0.5


def features(rows: Sequence[Row], spec: Spec, step: Callable[[], object]) -> Features:
    """Pieces as they are read at run time.

    To train on, only windows, `most` of a text, sampled: of an attack, the sentences one by one are mostly harmless.
    """
    chance = random.Random(spec.seed)
    slots, counts, of_row = [], [], []
    for number, row in enumerate(rows):
        places = pieces(row.text, spec.window.size, spec.window.overlap)
        if row.fold == "train":
            places = list(windows(row.text, spec.window.size, spec.window.overlap)) or places
            if len(places) > spec.window.most:
                places = [places[0], *chance.sample(places[1:], spec.window.most - 1)]
        found, sizes = grams([row.text[start:end] for start, end in places])
        slots.append(found.astype(np.int32))
        counts.append(sizes)
        of_row += [number] * len(places)
        step()
    counts = np.concatenate(counts)
    values = np.repeat((1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32), counts)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return Features(csr_matrix((values, np.concatenate(slots), ends), (len(counts), 2**BITS)), np.array(of_row), rows)


def fit(column: str, head: HeadSpec, spec: Spec, trained: Features, held: Features) -> Column:
    """One column of the model, calibrated and with its threshold."""
    at, truth = trained.known(column)
    weights = _weights([trained.rows[number] for number in at], truth, head.positive_share, spec.temper)
    of_window = np.full(len(trained.rows), -1)
    of_window[at] = np.arange(len(at))
    position = of_window[trained.of_row]
    used = np.flatnonzero(position >= 0)
    position = position[used]
    # What makes a long text an attack stands in one window or two: all of them together count as much as one row.
    shared = np.where(truth[position] == 1, np.bincount(position, minlength=len(at))[position], 1)
    weight = weights[position] / shared
    model = LogisticRegression(C=head.inverse_penalty, max_iter=spec.iterations, tol=spec.tolerance)
    model.fit(trained.matrix[used], truth[position], sample_weight=weight / weight.mean())
    return _calibrated(_quantised(model.coef_[0]), column, head, held)


def _weights(rows: Sequence[Row], truth: NDArray[np.int64], positive_share: float, temper: float) -> Floats:
    """Sources tempered, so that neither a large one nor what it is about is the cue; then the two truths balanced."""
    cells = [(row.source, known) for row, known in zip(rows, truth, strict=True)]
    sizes = Counter(cells)
    weights = np.array([row.weight * sizes[cell] ** -temper for row, cell in zip(rows, cells, strict=True)])
    return _balanced(weights, truth, positive_share)


def _balanced(weights: Floats, truth: NDArray[np.int64], positive_share: float) -> Floats:
    positive = truth == 1
    balanced = np.empty_like(weights)
    balanced[positive] = weights[positive] * positive_share / weights[positive].sum()
    balanced[~positive] = weights[~positive] * (1 - positive_share) / weights[~positive].sum()
    return balanced


def _quantised(weights: NDArray[Any]) -> NDArray[np.int8]:
    """Most small weights become 0, which costs nothing measurable and lets the file shrink."""
    return np.round(weights / max(np.abs(weights).max(), 1e-9) * 127).astype(np.int8)


def _calibrated(weights: NDArray[np.int8], column: str, head: HeadSpec, held: Features) -> Column:
    """Platt's scaling on the highest window of each held-out row, at the head's prior.

    Labels of which one is always named divide what the head found, so they keep their own share.
    """
    at, truth = held.known(column)
    logits = held.highest(held.matrix @ weights.astype(np.float32))[at]
    spread = float(np.abs(logits).mean()) or 1.0
    weight = np.array([held.rows[number].weight for number in at])
    if column == head.name or not head.names_one:
        weight = _balanced(weight, truth, head.prior)
    model = LogisticRegression(C=1e6).fit(logits[:, None] / spread, truth, sample_weight=weight / weight.mean())
    scale, bias = float(model.coef_[0, 0]) / spread, float(model.intercept_[0])
    if column == head.name:
        return Column(weights, scale, bias)
    others = 1 / (1 + np.exp(-(logits[truth == 0] * scale + bias)))
    return Column(
        weights, scale, bias, max(0.5, float(np.quantile(others, 1 - head.alone.get(column, head.label_false_alarms))))
    )
