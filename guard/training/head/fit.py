"""One question fitted and tried on rows it was not fitted on: a yes or no, or one class of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from guard.errors import SettingsError
from guard.evaluate import RATES, Agreements, Figures, agreements, figures
from guard.evaluate.curve import Curve
from guard.evaluate.spans import Count
from guard.training.head.calibrate import Numbers, log_loss, platt, temperature
from guard.training.head.embed import Texts
from guard.training.head.linear import STRENGTHS, Linear, Truths, folds, highest, one_of, yes_or_no

#: Up to so many rows cross-validation is repeated so often, each time with other folds.
REPEATS = ((200, 10), (2_000, 3))


@dataclass(frozen=True, slots=True, eq=False)
class YesOrNo:
    """A fitted yes or no: 0.5 is even odds, and `figures` are those of rows held out, at `threshold` too."""

    linear: Linear
    strength: float
    figures: Figures
    threshold: float
    truth: NDArray[np.bool_]
    scores: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class OneOf:
    """Fitted classes that exclude each other; `agreements` are those of rows held out."""

    linear: Linear
    strength: float
    agreements: Agreements


def repeats(rows: int) -> int:
    """How often cross-validation is done over."""
    return next((times for most, times in REPEATS if rows <= most), 1)


def fit_yes_or_no(
    texts: Texts, truth: NDArray[np.bool_], units: NDArray[np.integer], rate: float, step: Callable[[], object]
) -> YesOrNo:
    """Fits N texts of a `truth` each. `rate` is the share of false positives that the threshold is for.

    The figures are those of the repeat whose AUROC is the median. Raises SettingsError where nothing was learnt.
    """

    def loss(logits: Numbers) -> Numbers:
        return np.logaddexp(0, np.where(truth, -logits, logits)) * np.where(
            truth, 1 / truth.mean(), 1 / (~truth).mean()
        )

    def held_out(linear: Linear, part: Texts) -> Numbers:
        return highest(part, linear.logits(part.embeddings)[:, 0])

    tried = list(_tried(texts, truth, units, yes_or_no, held_out, step))
    best = _strongest(np.mean([[loss(logits) for logits in one] for one in tried], axis=0))
    logits = np.array([one[best] for one in tried])
    slope, shift = platt(logits.ravel(), np.tile(truth, len(logits)))
    areas = [Curve.of(truth, one).auroc for one in logits]
    if slope <= 0 or np.median(areas) <= 0.5:
        raise SettingsError(
            "on rows held out the head does no better than chance; check the labels, or give more rows that show it"
        )
    scores = expit(logits.astype(np.float64) * slope + shift)
    median = scores[int(np.argsort(areas)[len(areas) // 2])]
    found = figures(truth, median, rates=sorted({*RATES, rate}))
    threshold = between(median, found.at_rates[f"{rate:g}"].threshold)
    linear = list(yes_or_no(texts, truth))[best].scaled(np.array([slope]), np.array([shift]))
    step()
    return YesOrNo(linear, float(STRENGTHS[best]), found, threshold, truth, median)


def fit_one_of(
    texts: Texts,
    truth: NDArray[np.integer],
    units: NDArray[np.integer],
    labels: Sequence[str],
    step: Callable[[], object],
) -> OneOf:
    """Fits N texts, each of the class with the number in `truth`."""
    means = texts.means()

    def held_out(linear: Linear, part: Texts) -> Numbers:
        return linear.logits(part.embeddings)

    tried = list(_tried(means, truth, units, one_of, held_out, step))
    best = _strongest(np.mean([[log_loss(logits, truth) for logits in one] for one in tried], axis=0))
    logits = [one[best] for one in tried]
    power = temperature(np.concatenate(logits), np.tile(truth, len(logits)))
    right = [(one.argmax(axis=1) == truth).mean() for one in logits]
    median = logits[int(np.argsort(right)[len(right) // 2])]
    linear = list(one_of(means, truth))[best].scaled(np.full(len(labels), power), np.zeros(len(labels)))
    step()
    said = median.argmax(axis=1)
    counts = [_counted(labels[int(one)], labels[int(other)]) for one, other in zip(truth, said, strict=True)]
    return OneOf(linear, float(STRENGTHS[best]), agreements(counts))


def _counted(label: str, said: str) -> dict[str, Count]:
    return {label: Count(1, 1, 1)} if label == said else {label: Count(1, 0, 0), said: Count(0, 1, 0)}


def _tried(
    texts: Texts,
    truth: Truths,
    units: NDArray[np.integer],
    fits: Callable[[Texts, Any], Iterator[Linear]],
    held_out: Callable[[Linear, Texts], Numbers],
    step: Callable[[], object],
) -> Iterator[NDArray[np.float32]]:
    """For each repeat the logits of every row, by the strengths, from a fit that has not seen its unit."""
    for repeat in range(repeats(texts.count)):
        logits: NDArray[np.float32] | None = None
        for held in folds(truth, units, repeat):
            part = texts.of(held)
            for number, linear in enumerate(fits(texts.of(~held), truth[~held])):
                found = held_out(linear, part)
                if logits is None:
                    logits = np.empty((len(STRENGTHS), texts.count, *found.shape[1:]), np.float32)
                logits[number, held] = found
            step()
        assert logits is not None, "there are folds"
        yield logits


def _strongest(losses: Numbers) -> int:
    """Which strength: the strongest whose loss is no worse than the least but for chance, by one standard error.

    `losses` are strengths by rows, strongest first.
    """
    best = losses[int(losses.mean(axis=1).argmin())]
    worse = losses - best
    errors = worse.std(axis=1) / np.sqrt(losses.shape[1])
    return int(np.flatnonzero(worse.mean(axis=1) <= errors)[0])


def between(scores: Numbers, threshold: float) -> float:
    """A short number that flags the same scores as the threshold does, away from those on either side."""
    above = scores[scores >= threshold].min(initial=1.0)
    below = scores[scores < threshold].max(initial=0.0)
    for digits in range(2, 16):
        found = round((above + below) / 2, digits)
        if below < found <= above:
            return found
    return float(above)
