"""How well scores tell rows that should be found from rows that should not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from guard.evaluate.curve import Curve, Floats
from guard.evaluate.estimate import RESAMPLES, Estimate, estimate_by, estimate_from

#: Shares of false positives whose thresholds are given.
RATES = (0.001, 0.01, 0.05)


@dataclass(frozen=True, slots=True)
class Point:
    """What happens at one threshold: a row is flagged where its score is at or above it (below it for `low`).

    `recall` is the share of the positives flagged, `false_positives` that of the negatives, `precision` the share of
    the flagged that are positives. None where there is nothing to take a share of. An infinite threshold flags nothing.
    """

    threshold: float
    recall: Estimate | None
    false_positives: Estimate | None
    precision: Estimate | None
    f1: Estimate | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything about one metric on some rows. What needs both positives and negatives is None or empty without them.

    `at` is the threshold that was asked for, `best` the one with the highest F1 on these very rows, `at_rates` those
    that flag at most a share of the negatives: `{"0.001": …, "0.01": …, "0.05": …}`. `groups` are the figures of each
    group of rows at the thresholds of all rows.
    """

    rows: int
    positives: int
    auroc: Estimate | None
    average_precision: Estimate | None
    at: Point
    best: Point | None
    at_rates: Mapping[str, Point]
    groups: Mapping[str, Figures] = field(default_factory=dict)


def figures(
    truth: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    at: float = 0.5,
    rates: Sequence[float] = RATES,
    low: bool = False,
    seed: int = 0,
) -> Figures:
    """The figures of a score for each row (N), of a truth for each (N; 0 or 1) and, where given, a group for each (N).

    `low` says that low scores mean a positive. All intervals are 95 %: AUROC's by DeLong's variance, the others' by 200
    stratified resamples, in which thresholds are chosen anew. Raises ValueError where lengths differ, a truth is
    neither 0 nor 1, or a score is not finite.
    """
    known, values = np.asarray(truth), np.asarray(scores, np.float64)
    if known.shape != values.shape or known.ndim != 1 or (groups is not None and len(groups) != len(known)):
        raise ValueError(f"give one truth, score and group a row: {known.shape}, {values.shape}, {len(groups or ())}")
    if not np.isin(known, (0, 1)).all() or not np.isfinite(values).all():
        raise ValueError("a truth is 0 or 1, and a score is a finite number; leave out the rows that have none")
    known, sign = known.astype(bool), -1.0 if low else 1.0
    curve = Curve.of(known, sign * values)
    whole = _figures(curve, {"at": _at(sign * at)} | _chosen(curve, rates), sign, seed)
    if groups is None:
        return whole
    points = {"at": whole.at} | ({"best": whole.best} if whole.best else {}) | dict(whole.at_rates)
    cuts = {name: _at(sign * point.threshold) for name, point in points.items()}
    members = np.asarray(groups, dtype=object)
    parts = {}
    for group in sorted(set(groups)):
        part = Curve.of(known[members == group], sign * values[members == group])
        parts[group] = _figures(part, cuts, sign, seed)
    return replace(whole, groups=parts)


class _Cut(NamedTuple):
    """Where to cut a curve: after how many steps, and at which threshold, None for the last step's own score."""

    steps: Callable[[Curve], int]
    threshold: float | None = None


def _at(threshold: float) -> _Cut:
    return _Cut(lambda curve: curve.steps_at(threshold), threshold)


def _chosen(curve: Curve, rates: Sequence[float]) -> dict[str, _Cut]:
    """The cuts that depend on the rows, which need rows of both sides."""
    if not len(curve.positives) or not len(curve.negatives):
        return {}
    within = {f"{rate:g}": _Cut(lambda curve, rate=rate: curve.steps_within(rate)) for rate in rates}
    return {"best": _Cut(Curve.steps_of_best_f1)} | within


def _figures(curve: Curve, cuts: Mapping[str, _Cut], sign: float, seed: int) -> Figures:
    chance = np.random.default_rng(seed)
    count, against = len(curve.positives), len(curve.negatives)
    both = count > 0 and against > 0
    precision, shares = [], []
    for _ in range(RESAMPLES):
        drawn = curve.resampled(chance)
        precision.append(drawn.average_precision if both else np.nan)
        shares.append([_shares(drawn, cut.steps(drawn)) for cut in cuts.values()])
    resampled = np.array(shares).reshape(RESAMPLES, len(cuts), 4)
    points = {name: _point(curve, cut, resampled[:, number], sign) for number, (name, cut) in enumerate(cuts.items())}
    at, best = points.pop("at"), points.pop("best", None)
    # At total separation the variance is 0; this is the number of rows that Hanley and McNeil (1982) come to there.
    most = 4 * count * against / (count + against + 2)
    auroc = estimate_by(curve.auroc, curve.auroc, curve.auroc_variance, most) if both else None
    average = estimate_from(curve.average_precision, np.array(precision), count) if both else None
    return Figures(count + against, count, auroc, average, at, best, points)


def _shares(curve: Curve, steps: int) -> tuple[float, float, float, float]:
    """Recall, false positives, precision and F1 of flagging so many steps; NaN where there is nothing to share."""
    hits, alarms = float(curve.hits[steps]), float(curve.alarms[steps])
    count, against = len(curve.positives), len(curve.negatives)
    return (
        hits / count if count else np.nan,
        alarms / against if against else np.nan,
        hits / (hits + alarms) if hits + alarms else np.nan,
        2 * hits / (hits + alarms + count) if count else np.nan,
    )


def _point(curve: Curve, cut: _Cut, resampled: Floats, sign: float) -> Point:
    steps = cut.steps(curve)
    flagged = float(curve.hits[steps] + curve.alarms[steps])
    union = flagged + len(curve.positives) - float(curve.hits[steps])
    rows = (len(curve.positives), len(curve.negatives), flagged, union)
    found = (
        None if np.isnan(value) else estimate_from(value, resampled[:, number], rows[number])
        for number, value in enumerate(_shares(curve, steps))
    )
    return Point(sign * (curve.level(steps) if cut.threshold is None else cut.threshold), *found)
