"""What held-out logits have to be multiplied by, and shifted, to be log odds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

Numbers = NDArray[np.float64]


def platt(logits: Numbers, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and shift that make N logits log odds (Platt, 1999), with his targets, which allow for few rows."""
    yes, no = truth.sum(), (~truth).sum()
    target = np.where(truth, (yes + 1) / (yes + 2), 1 / (no + 2))
    size = max(float(np.std(logits)), 1e-9)

    def loss(line: Numbers) -> float:
        odds = line[0] * logits / size + line[1]
        return float(np.mean(np.logaddexp(0, odds) - target * odds))

    slope, shift = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(slope) / size, float(shift)


def temperature(logits: Numbers, truth: NDArray[np.integer]) -> float:
    """What logits (N x C) are multiplied by for softmax to give probabilities (Guo et al., 2017)."""

    def loss(power: float) -> float:
        return float(log_loss(logits * np.exp(power), truth).mean())

    found: Any = minimize_scalar(loss, bounds=(-6, 6), method="bounded")
    return float(np.exp(found.x))


def log_loss(logits: Numbers, truth: NDArray[np.integer]) -> Numbers:
    """Of each row (N), from logits by class."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]
