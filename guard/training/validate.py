"""How good a network is after a round: every column on rows that it does not learn from, source by source."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guard.errors import SettingsError
from guard.evaluate.curve import Curve
from guard.training.data import Data
from guard.training.encode import Encoder
from guard.training.judge import Reader, logits
from guard.training.rows import Fold, Row
from guard.training.spec import Spec

#: Fewer rows of either side say too little.
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows of one source with the network's logits (rows by columns)."""

    rows: list[Row]
    logits: NDArray[np.float32]

    def known(self, column: str, at: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Truth and logits of the rows whose truth is known (0 or 1)."""
        truth = np.array([row.truth.get(column, np.nan) for row in self.rows])
        sure = np.isin(truth, (0.0, 1.0))
        return truth[sure], self.logits[sure, at].astype(np.float64)


def judged(
    fold: Fold, read: Reader, data: Data, encoder: Encoder, spec: Spec, step: Callable[[int], None]
) -> dict[str, Judged]:
    """At most `validation.rows` rows of each source (`validation.ordinary` of ordinary ones), the same each time."""
    found = {}
    for name, rows in data.by_source.items():
        chosen = [row for row in rows if row.fold == fold and row.truth]
        most = spec.validation.ordinary if chosen and chosen[0].ordinary else spec.validation.rows
        chosen = random.Random(spec.seed).sample(chosen, min(len(chosen), most))
        if chosen:
            found[name] = Judged(chosen, logits(read, chosen, encoder, lambda _: None))
        step(1)
    return found


def areas(found: Mapping[str, Judged], spec: Spec) -> dict[str, dict[str, float]]:
    """The area under the ROC curve by column and source, "*" for all rows that know the column."""
    table: dict[str, dict[str, float]] = {}
    for at, column in enumerate(spec.columns):
        parts = {name: each.known(column, at) for name, each in found.items()}
        truths, numbers = ([part[side] for part in parts.values()] for side in (0, 1))
        parts["*"] = np.concatenate([*truths, np.empty(0)]), np.concatenate([*numbers, np.empty(0)])
        table[column] = {name: _area(*part) for name, part in parts.items() if _enough(part[0])}
    return table


def overall(table: Mapping[str, Mapping[str, float]]) -> float:
    """One number to choose a round by: the mean of the heads' areas, each the mean of its sources' and of all.

    Raises SettingsError where there are too few rows to judge any head by.
    """
    means = [np.mean(list(areas.values())) for column, areas in table.items() if "/" not in column and areas]
    if not means:
        raise SettingsError(f"no head has {FEWEST} validation rows that say yes and as many that say no; add some")
    return float(np.mean(means))


def _area(truth: NDArray[np.float64], numbers: NDArray[np.float64]) -> float:
    return Curve.of(truth == 1, numbers).auroc


def _enough(truth: NDArray[np.float64]) -> bool:
    return min((truth == 1).sum(), (truth == 0).sum()) >= FEWEST
