"""What each threshold would find and falsely find: the one sorted table that all ranking figures are read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Rows sorted by score, the highest first; rows of one score are one step, so ties get half a point each.

    `levels` (K) are the distinct scores, falling. `positives` and `negatives` hold the step of each row that should be
    found and of each that should not. `hits` and `alarms` (K + 1) count those among the first k steps, k = 0 … K.
    """

    levels: Floats
    positives: Counts
    negatives: Counts
    hits: Counts
    alarms: Counts

    @classmethod
    def of(cls, truth: NDArray[np.bool_], scores: Floats) -> Curve:
        """From a truth and a finite score for each row."""
        levels, rising = np.unique(scores, return_inverse=True)
        steps = len(levels) - 1 - rising
        return cls._of(levels[::-1], steps[truth], steps[~truth])

    @classmethod
    def _of(cls, levels: Floats, positives: Counts, negatives: Counts) -> Curve:
        return cls(levels, positives, negatives, _counted(positives, len(levels)), _counted(negatives, len(levels)))

    def resampled(self, chance: np.random.Generator) -> Curve:
        """As many positives and as many negatives, each drawn anew with replacement: a stratified bootstrap."""
        drawn = (side[chance.integers(len(side), size=len(side))] for side in (self.positives, self.negatives))
        return self._of(self.levels, *drawn)

    def level(self, steps: int) -> float:
        """The threshold that takes so many steps; infinite for none."""
        return float(self.levels[steps - 1]) if steps else float("inf")

    def steps_at(self, threshold: float) -> int:
        """How many steps lie at or above a threshold."""
        return int(np.searchsorted(-self.levels, -threshold, side="right"))

    def steps_within(self, rate: float) -> int:
        """The most steps that falsely find no more than this share of the negatives."""
        allowed = rate * len(self.negatives) + 1e-9  # a share such as 0.29 times 100 falls short of 29 in floats
        return int(np.searchsorted(self.alarms, allowed, side="right")) - 1

    def steps_of_best_f1(self) -> int:
        """The steps whose F1 is highest, the fewest of them."""
        found = 2 * self.hits[1:] / (self.hits[1:] + self.alarms[1:] + len(self.positives)).clip(1)
        return int(np.argmax(found)) + 1

    @property
    def auroc(self) -> float:
        """How often a positive stands above a negative, ties counting half. Needs rows of both."""
        area = np.diff(self.alarms) @ (self.hits[1:] + self.hits[:-1]) / 2
        return float(area / (len(self.positives) * len(self.negatives)))

    @property
    def auroc_variance(self) -> float:
        """By DeLong, DeLong and Clarke-Pearson (1988), read from the ranks as Sun and Xu (2014) do."""
        above = (self.alarms[1:] + self.alarms[:-1])[self.positives] / (2 * len(self.negatives))
        below = (self.hits[1:] + self.hits[:-1])[self.negatives] / (2 * len(self.positives))
        return sum(float(np.var(part, ddof=1)) / len(part) for part in (above, below) if len(part) > 1)

    @property
    def average_precision(self) -> float:
        """Precision at each step, weighted by the recall it adds. Needs positives."""
        flagged = (self.hits + self.alarms)[1:].clip(1)
        return float(np.diff(self.hits) @ (self.hits[1:] / flagged) / len(self.positives))


def _counted(steps: Counts, number: int) -> Counts:
    return np.concatenate(([0], np.cumsum(np.bincount(steps, minlength=number))))
