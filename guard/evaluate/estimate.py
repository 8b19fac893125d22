"""A figure between 0 and 1 with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

#: Two-sided 95 %.
Z = 1.959964
#: Resamples that a variance is estimated from; its own error is then 10 %, the interval's width's 5 %.
RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share or an area, 0..1, and the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def estimate(value: float, rows: float) -> Estimate:
    """A share of so many independent rows, with Wilson's interval (1927): it holds near 0 and 1, and for few rows."""
    spread = Z * Z / rows
    middle = (value + spread / 2) / (1 + spread)
    half = sqrt(spread * value * (1 - value) + spread * spread / 4) / (1 + spread)
    return Estimate(value, max(0.0, min(value, middle - half)), min(1.0, max(value, middle + half)))


def estimate_from(value: float, resampled: NDArray[np.float64], rows: float) -> Estimate:
    """A figure that is no plain share, from what it came out as on resampled rows (NaN: not defined on those).

    Wilson's interval for the number of independent rows that would spread as much (Korn and Graubard's effective sample
    size), `rows` at most. A percentile interval would have no width where all resamples agree, as they do at 0 and 1.
    """
    seen = resampled[np.isfinite(resampled)]
    variance = float(np.var(seen)) if len(seen) else 0.0
    mean = float(np.mean(seen)) if len(seen) else value
    return estimate_by(value, mean, variance, rows)


def estimate_by(value: float, mean: float, variance: float, rows: float) -> Estimate:
    """A figure of a known variance around a mean, as so many independent rows, `rows` at most, would give it."""
    effective = mean * (1 - mean) / variance if variance > 0 else rows
    return estimate(value, min(effective, rows))
