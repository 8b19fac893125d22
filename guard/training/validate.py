"""How good a network is after a round: every column on rows that it does not learn from, source by source."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guard.evaluate.curve import Curve
from guard.training.data import Data
from guard.training.encode import Encoder
from guard.training.judge import logits
from guard.training.network import Network
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
    fold: Fold, network: Network, data: Data, encoder: Encoder, spec: Spec, device: str, step: Callable[[], None]
) -> dict[str, Judged]:
    """At most `validation.rows` rows of each source, the same ones each time."""
    found = {}
    for name, rows in data.by_source.items():
        chosen = [row for row in rows if row.fold == fold and row.truth]
        chosen = random.Random(spec.seed).sample(chosen, min(len(chosen), spec.validation.rows))
        if chosen:
            found[name] = Judged(
                chosen, logits(network, chosen, encoder, device, spec.optimiser.precision, lambda _: None)
            )
        step()
    return found


def areas(found: Mapping[str, Judged], spec: Spec) -> dict[str, dict[str, float]]:
    """The area under the ROC curve by column and source, "*" for all rows that know the column."""
    table: dict[str, dict[str, float]] = {}
    for at, column in enumerate(spec.columns):
        parts = {name: each.known(column, at) for name, each in found.items()}
        parts["*"] = tuple(np.concatenate(side) for side in zip(*parts.values(), strict=True))  # type: ignore[assignment]
        table[column] = {name: _area(*part) for name, part in parts.items() if _enough(part[0])}
    return table


def overall(table: Mapping[str, Mapping[str, float]], spec: Spec) -> float:
    """One number to choose a round by: the mean of the heads' areas, a head's being the mean of its sources'."""
    means = [
        np.mean([table[column].get("*", np.nan)] + [area for name, area in table[column].items() if name != "*"])
        for column in spec.columns
        if "/" not in column and table.get(column)
    ]
    return float(np.mean(means))


def _area(truth: NDArray[np.float64], numbers: NDArray[np.float64]) -> float:
    return Curve.of(truth == 1, numbers).auroc


def _enough(truth: NDArray[np.float64]) -> bool:
    return min((truth == 1).sum(), (truth == 0).sum()) >= FEWEST
