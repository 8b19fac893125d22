"""How good a model is on rows it was not trained on, read exactly as at run time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from guard.metrics.metric import each_passage
from guard.metrics.ngrams import Model
from guard.metrics.score import Score
from guard.metrics.turn import Turn
from guard.training.ngrams.rows import Row
from guard.training.ngrams.spec import HeadSpec

#: Shares of ordinary texts that a threshold lets through.
FALSE_ALARMS = (0.001, 0.01, 0.05)
#: Groups of fewer rows are left out of the report: their shares say nothing.
SMALLEST_GROUP = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """One head's scores of its `valid` rows, in the rows' order."""

    head: HeadSpec
    rows: Sequence[Row]
    scores: Sequence[Score]

    @property
    def values(self) -> NDArray[np.float64]:
        """The numbers."""
        return np.array([score.value for score in self.scores], np.float64)

    def truth(self, column: str) -> NDArray[np.int64]:
        """1, 0, or -1 where a row does not say."""
        return np.array([row.truth.get(column, -1) for row in self.rows])

    def ordinary(self) -> NDArray[np.float64]:
        """What each row counts among the ordinary ones, 1 in all: each source the same, for no app sees their mix."""
        sizes = Counter(row.source for row in self.rows if row.ordinary)
        return np.array([1 / sizes[row.source] / len(sizes) if row.ordinary else 0.0 for row in self.rows])

    def thresholds(self) -> dict[str, float]:
        """For each share of false alarms on ordinary rows, the value above which no more than that share lies."""
        weights = self.ordinary()
        used = np.argsort(-self.values)
        passed = np.cumsum(weights[used])
        return {
            f"{share:.1%}": float(self.values[used[min(np.searchsorted(passed, share, "right"), len(used) - 1)]])
            for share in FALSE_ALARMS
        }


def measured(model: Model, head: HeadSpec, rows: Iterable[Row], step: Callable[[], object]) -> Measured:
    """Score the `valid` rows of a head."""
    read = each_passage(lambda text: model.read(text)[head.name])
    valid = [row for row in rows if row.fold == "valid"]
    scores = []
    for row in valid:
        score = read(Turn.of(row.text), "input")
        assert isinstance(score, Score)
        scores.append(score)
        step()
    return Measured(head, valid, scores)


def figures(measured: Measured) -> str:
    """The report of one head, as markdown."""
    values, truth = measured.values, measured.truth(measured.head.name)
    points = measured.thresholds()
    at = {"0.5": 0.5, "0.9": 0.9, **{f"{share} false alarms": value for share, value in points.items()}}
    lines = [
        f"### {measured.head.name}",
        "",
        f"All {len(truth):,} validation rows, {int(truth.sum()):,} of which should be found: AUROC "
        f"{roc_auc_score(truth, values):.3f}, average precision {average_precision_score(truth, values):.3f}.",
        "",
        "| threshold | at | of ordinary texts, flagged | of all that should be, found |",
        "|---|---|---|---|",
    ]
    ordinary = measured.ordinary()
    for name, value in at.items():
        alarms, found = f"{ordinary[values > value].sum():.1%}", f"{np.mean(values[truth == 1] > value):.1%}"
        lines.append(f"| {name} | {value:.3f} | {alarms} | {found} |")
    lines += ["", *_by("kind", [row.kind for row in measured.rows], measured, points)]
    lines += ["", *_by("source", [row.source for row in measured.rows], measured, points)]
    return "\n".join([*lines, "", *_labels(measured), ""])


def _by(what: str, groups: Sequence[str], measured: Measured, points: dict[str, float]) -> list[str]:
    """A table of groups: those that should be found, those that should not, and what happens to both."""
    values, truth = measured.values, measured.truth(measured.head.name)
    lines = [
        f"| {what} | rows | should be found | AUROC | found at {' / '.join(points)} | false alarms at 0.5 / 0.9 |",
        "|---|---|---|---|---|---|",
    ]
    for group, size in sorted(Counter(groups).items()):
        if not group or size < SMALLEST_GROUP:
            continue
        member = np.array([name == group for name in groups])
        yes, no = values[member & (truth == 1)], values[member & (truth == 0)]
        area = f"{roc_auc_score(truth[member], values[member]):.3f}" if len(yes) and len(no) else ""
        found = " / ".join(_share(yes, point) for point in points.values()) if len(yes) else ""
        alarms = f"{_share(no, 0.5)} / {_share(no, 0.9)}" if len(no) else ""
        lines.append(f"| {group} | {size:,} | {len(yes):,} | {area} | {found} | {alarms} |")
    return lines


def _labels(measured: Measured) -> list[str]:
    lines = ["| label | rows with it | labelled so | rows without it | labelled so |", "|---|---|---|---|---|"]
    for label in measured.head.labels:
        given = np.array([label in (score.labels or ()) for score in measured.scores])
        truth = measured.truth(label)
        yes, no = given[truth == 1], given[truth == 0]
        lines.append(f"| {label} | {len(yes):,} | {_share(yes, 0)} | {len(no):,} | {_share(no, 0)} |")
    return lines


def _share(values: NDArray[Any], threshold: float) -> str:
    return f"{np.mean(values > threshold):.1%}" if len(values) else "none"
