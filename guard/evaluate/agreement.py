"""How well labels or spans found agree with those that should be found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from guard.evaluate.estimate import RESAMPLES, Estimate, estimate_from
from guard.evaluate.spans import Count


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one label, or of all together: how many there should be, how many were found, how many of those are right.

    `f2` weighs recall twice as much as precision does. None where there is nothing to take a share of.
    """

    truths: int
    found: int
    right: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    f2: Estimate | None


@dataclass(frozen=True, slots=True)
class Agreements:
    """Of all labels together, of each label, and of each group of rows (all labels together).

    `macro_f1` is the mean of the labels' F1, whatever their numbers.
    """

    rows: int
    total: Agreement
    macro_f1: float | None
    labels: Mapping[str, Agreement]
    groups: Mapping[str, Agreement] = field(default_factory=dict)


def agreements(
    counts: Sequence[Mapping[str, Count]], *, groups: Sequence[str] | None = None, seed: int = 0
) -> Agreements:
    """From each row's counts by label (N), and its group (N). The 95 % intervals resample rows, not spans or labels."""
    by_label: dict[str, list[Count]] = defaultdict(list)
    by_group: dict[str, list[Count]] = defaultdict(list)
    together = []
    for number, row in enumerate(counts):
        for label, count in row.items():
            by_label[label].append(count)
        whole = Count(*map(sum, zip(*row.values(), strict=True))) if row else Count(0, 0, 0)
        together.append(whole)
        if groups is not None:
            by_group[groups[number]].append(whole)
    labels = {label: agreement(by_label[label], seed) for label in sorted(by_label)}
    each = [one.f1.value for one in labels.values() if one.f1 is not None]
    return Agreements(
        len(counts),
        agreement(together, seed),
        sum(each) / len(each) if each else None,
        labels,
        {group: agreement(by_group[group], seed) for group in sorted(by_group)},
    )


def agreement(rows: Sequence[Count], seed: int = 0) -> Agreement:
    """From the counts of each row; rows without any change nothing and may be left out."""
    counts = np.array([row for row in rows if any(row)], np.float64).reshape(-1, 3)
    chance = np.random.default_rng(seed)
    # Poisson's weights stand for drawing rows with replacement, and need no count of the rows left out.
    resampled = _shares(np.array([chance.poisson(1, len(counts)) @ counts for _ in range(RESAMPLES)]))
    total = counts.sum(axis=0)
    truths, found, right = total.tolist()
    union = truths + found - right
    estimates = (
        None if np.isnan(value) else estimate_from(float(value), resampled[:, number], of)
        for number, (value, of) in enumerate(zip(_shares(total[None])[0], (found, truths, union, union), strict=True))
    )
    return Agreement(int(truths), int(found), int(right), *estimates)


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Precision, recall, F1 and F2 (R x 4) of sums (R x 3); NaN where there is nothing to share."""
    truths, found, right = counts.T
    with np.errstate(invalid="ignore"):
        f1, f2 = ((1 + beta) * right / (beta * truths + found) for beta in (1, 4))
        return np.stack([right / found, right / truths, f1, f2], axis=1)
