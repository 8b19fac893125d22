"""How well `pii` finds what stands in the rows kept for validation: patterns and head together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from guard.errors import MetricError
from guard.evaluate.agreement import Agreements, agreements
from guard.evaluate.estimate import Estimate
from guard.evaluate.spans import Place, exact, overlapping
from guard.metrics.metric import Metric
from guard.metrics.pii.head import head_labels
from guard.metrics.score import Score, Span
from guard.metrics.turn import Turn
from guard.training.pii.public import public
from guard.training.pii.row import Row
from guard.training.pii.written import filled, names

#: How often templates are filled, of which a tenth is for validation, and from which seed: not that of the training.
FILLED, SEED = 30_000, 8
#: Labels of ours that the authors of the templates did not tell apart.
_SAME = {"tax_id": "national_id"}


@dataclass(frozen=True, slots=True)
class PiiFigures:
    """Spans found against spans marked, by our labels and by source: where they overlap, and with equal bounds."""

    overlap: Agreements
    exact: Agreements


def pii_report(metric: Metric, data: Path) -> dict[str, PiiFigures]:
    """The figures of a metric of kind `pii` on the validation rows: the filled templates, and natural text.

    Persons on natural text are `["natural"].exact.labels["name"]`. `data` is the folder of the training data. Raises
    MetricError where the metric fails on a row, SettingsError where a file is missing.
    """
    return {
        "templates": measured(metric, (row for row in filled(FILLED, SEED) if row.split == "valid")),
        "natural": measured(metric, (row for row in (*public(data), *names()) if row.split == "valid")),
    }


def measured(metric: Metric, rows: Iterable[Row]) -> PiiFigures:
    """The figures on some rows. A finding of a label that nobody looked for in its row is neither right nor wrong."""
    overlaps, bounds, sources = [], [], []
    for row in rows:
        score = metric.measure(Turn.of(row.text), "input")
        if not isinstance(score, Score):
            raise MetricError(f"{metric.name} did not read a row of {row.source}: {score}")
        unknown = {label for name, label in head_labels().items() if name not in row.known}
        truths = [_place(span, head_labels()[span.label]) for span in row.spans]
        found = [_place(span, _SAME.get(span.label, span.label)) for span in score.spans if span.label not in unknown]
        overlaps.append(overlapping(truths, found))
        bounds.append(exact(truths, found))
        sources.append(row.source)
    return PiiFigures(agreements(overlaps, groups=sources), agreements(bounds, groups=sources))


def table(figures: PiiFigures) -> str:
    """The figures as a table in Markdown, one label a line."""
    lines = ["| label | spans | precision | recall | F1 | F2 | F1, exact |", "|---|---|---|---|---|---|---|"]
    for label, overlap in {**figures.overlap.labels, "all": figures.overlap.total}.items():
        bounds = figures.exact.total if label == "all" else figures.exact.labels[label]
        shares = (overlap.precision, overlap.recall, overlap.f1, overlap.f2, bounds.f1)
        lines.append(f"| {label} | {overlap.truths} | {' | '.join(map(_rounded, shares))} |")
    return "\n".join(lines)


def _rounded(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.3f}".removeprefix("0")


def _place(span: Span, label: str) -> Place:
    return Place(label, 0, span.start, span.end)
