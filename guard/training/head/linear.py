"""Logistic regression on embeddings, from strong regularisation to weak. Only this file imports scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from guard.metrics.encoder.reading import Floats
from guard.training.head.embed import Texts

#: L2 penalties tried, half of each times the squared weights of standardised columns, beside the mean loss of a row.
STRENGTHS = np.logspace(2, -4, 9)
FOLDS = 5
_MOST_STEPS = 500
#: How often the window of a text is chosen anew that makes it what it is.
_CHOICES = 2

Numbers = NDArray[np.float64]
#: Of each text, whether it is a yes, or the number of its class.
Truths = NDArray[np.bool_] | NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """`weights` D x C and `biases` C."""

    weights: Numbers
    biases: Numbers

    def logits(self, embeddings: Floats) -> Numbers:
        """Rows by columns."""
        return embeddings @ self.weights.astype(np.float32) + self.biases

    def scaled(self, slopes: Numbers, shifts: Numbers) -> Linear:
        """What gives `slopes` (C) times the logits plus `shifts` (C)."""
        return Linear(self.weights * slopes, self.biases * slopes + shifts)


class Solver:
    """Fits one table of windows again and again, each time from where it stood.

    Columns are standardised inside, and fewer windows than columns are turned into as many columns as windows: an L2
    penalty does not care how the axes lie.
    """

    def __init__(self, embeddings: Floats, truth: Truths) -> None:
        self._centre = embeddings.mean(axis=0, dtype=np.float64)
        spread = embeddings.std(axis=0, dtype=np.float64)
        # A column that is the same everywhere says nothing.
        self._scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
        self._table = (embeddings - self._centre.astype(np.float32)) * self._scale.astype(np.float32)
        self._axes: Numbers | None = None
        if len(embeddings) < embeddings.shape[1]:
            left, sizes, self._axes = np.linalg.svd(self._table.astype(np.float64), full_matrices=False)
            self._table = left * sizes
        self._truth = truth
        self._model = LogisticRegression(warm_start=True, max_iter=_MOST_STEPS)

    def fit(self, strength: float, weights: Numbers) -> Linear:
        """What separates best at this penalty, with weights for the rows; standardising is part of what is given."""
        self._model.C = 1 / strength
        with warnings.catch_warnings():
            # Where the last steps are missing, the weaker penalty is a little stronger: no harm.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._table, self._truth, weights / weights.sum())
        found, biases = (np.asarray(part, np.float64) for part in (self._model.coef_, self._model.intercept_))
        if len(found) == 1 and len(self._model.classes_) == 2 and self._truth.dtype != np.bool_:
            found, biases = np.stack([-found[0], found[0]]) / 2, np.array([-biases[0], biases[0]]) / 2
        own = (found if self._axes is None else found @ self._axes) * self._scale
        return Linear(own.T, biases - own @ self._centre)


def yes_or_no(texts: Texts, truth: NDArray[np.bool_]) -> Iterator[Linear]:
    """One for each of STRENGTHS, of texts that are a yes where their highest window is one.

    Yes and no weigh the same, whatever their numbers. Every window of a no is a no. Of a yes only one window need be:
    first all count, then the one that stands highest (multiple-instance learning; Andrews et al., 2003).
    """
    solver = Solver(texts.embeddings, truth[texts.owners])
    row = np.where(truth, 1 / truth.sum(), 1 / (~truth).sum())
    weights = even = (row / texts.windows)[texts.owners]
    several = len(texts.owners) > texts.count
    for strength in STRENGTHS:
        linear = solver.fit(strength, weights)
        for _ in range(_CHOICES if several else 0):
            highest = _highest(texts, linear.logits(texts.embeddings)[:, 0])
            weights = np.where(truth[texts.owners], np.where(highest, row[texts.owners], 0.0), even)
            linear = solver.fit(strength, weights)
        yield linear


def one_of(texts: Texts, truth: NDArray[np.integer]) -> Iterator[Linear]:
    """One for each of STRENGTHS, with a column a class (`truth` is the number of each text's)."""
    means = texts.means()
    solver = Solver(means.embeddings, truth)
    for strength in STRENGTHS:
        yield solver.fit(strength, np.ones(means.count))


def highest(texts: Texts, logits: Numbers) -> Numbers:
    """The highest of each text's windows."""
    return np.maximum.reduceat(logits, np.flatnonzero(np.diff(texts.owners, prepend=-1)))


def _highest(texts: Texts, logits: Numbers) -> NDArray[np.bool_]:
    """Of each text one window, the first of its highest."""
    top = logits == highest(texts, logits)[texts.owners]
    tops = np.flatnonzero(top)
    chosen = np.zeros(len(logits), bool)
    chosen[tops[np.unique(texts.owners[tops], return_index=True)[1]]] = True
    return chosen


def folds(truth: Truths, units: NDArray[np.integer], seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which rows (N) each fold holds out: alike in truth, and every unit in one of them."""
    alone = len(np.unique(units)) == len(units)
    kind = (StratifiedKFold if alone else StratifiedGroupKFold)(FOLDS, shuffle=True, random_state=seed)
    for _, held in kind.split(np.zeros(len(truth)), truth, None if alone else units):
        mask = np.zeros(len(truth), bool)
        mask[held] = True
        yield mask
