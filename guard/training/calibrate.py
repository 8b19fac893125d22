"""From logits to probabilities that mean something: 0.5 is even odds, and thresholds travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """Probability = sigmoid(scale · logit + bias)."""

    scale: float
    bias: float

    def where(self, prior: float) -> Scale:
        """The same, with 0.5 as even odds where so large a share is yes; made for as many yes as no."""
        return Scale(self.scale, self.bias + log(prior / (1 - prior)))

    def __call__(self, logits: Floats) -> Floats:
        """The probabilities of logits."""
        return 1 / (1 + np.exp(-(self.scale * logits + self.bias)))


def fitted(logits: Floats, truth: Floats, weights: Floats) -> Scale:
    """The scale under which yes and no, as often as one another, are best told apart (Platt's scaling).

    Where there are too few of either, logits are taken as they are.
    """
    if min((truth == 1).sum(), (truth == 0).sum()) < 10:
        return Scale(1.0, 0.0)
    for value in (0, 1):
        weights = np.where(truth == value, weights / weights[truth == value].sum(), weights)
    model = LogisticRegression(C=1e4).fit(logits[:, None], truth, sample_weight=weights * len(truth))
    return Scale(float(model.coef_[0, 0]), float(model.intercept_[0]))


def threshold(probabilities: Floats, rate: float, groups: Sequence[str]) -> float:
    """What no more than a `rate` of harmless texts reaches, each group (source) of them counting the same."""
    order = np.argsort(-probabilities)
    names, place, count = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    share = 1 / (len(names) * count[place])
    flagged = np.cumsum(share[order])
    at = int(np.searchsorted(flagged, rate + 1e-9, side="right"))  # sums of shares are off by less
    one_too_many = probabilities[order][min(at, len(order) - 1)]
    above = probabilities[probabilities > one_too_many]
    return float((one_too_many + above.min(initial=1.0)) / 2)
