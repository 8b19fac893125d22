"""How `guard metrics eval` tells its figures on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from guard.evaluate import Agreement, Agreements, Estimate, Evaluation, Figures, Point, Question, Result

#: A share of fewer rows than these gives a threshold that other rows would move far.
FEW = 5


def show(console: Console, evaluation: Evaluation, question: Question) -> None:
    """Every result, each figure with its 95 % confidence interval."""
    for result in evaluation.results:
        console.print(Text.assemble((result.metric, "bold"), f"  {result.rows:,} rows"))
        if evaluation.unlabelled:
            text = f"left out: {evaluation.unlabelled:,} rows without '{question.label}'"
            console.print(text, style="yellow", markup=False)
        if result.failed:
            text = f"left out: {result.failed:,} rows that it failed on; the first: {result.failure}"
            console.print(text, style="red", markup=False)
        if result.figures:
            _ranking(console, result.figures, question)
        spans = {"spans, exactly": result.exact, "spans, overlapping": result.overlap}
        for name, found in {"labels": result.labels, **spans}.items():
            if found:
                _agreements(console, name, found, question)
        _numbers(console, result)
        console.print()


def _ranking(console: Console, ranked: Figures, question: Question) -> None:
    console.print(f"{ranked.positives:,} labelled yes, {ranked.rows - ranked.positives:,} labelled no")
    if ranked.best is None:
        console.print("no AUROC, average precision or thresholds: that takes rows of both kinds", style="yellow")
    else:
        areas = Text.assemble("AUROC ", _area(ranked.auroc), "   average precision ", _area(ranked.average_precision))
        console.print(areas)
    sign = "≤" if question.low else "≥"
    table = _table("threshold", [sign], ["recall", "false positives", "precision", "F1"])
    for name, point in _points(ranked).items():
        shares = map(_share, (point.recall, point.false_positives, point.precision))
        table.add_row(name, _threshold(point), *shares, _area(point.f1))
    console.print(table)
    against = ranked.rows - ranked.positives
    few = ", ".join(f"{float(rate):.1%}" for rate in ranked.at_rates if float(rate) * against < FEW)
    if few:
        text = f"{against:,} rows labelled no are few for {few}: that is less than {FEW} rows, and thresholds are shaky"
        console.print(text, style="yellow", markup=False)
    if ranked.groups:
        _groups(console, ranked, question)


def _points(ranked: Figures) -> dict[str, Point]:
    rates = {f"{float(rate):.1%} false positives": point for rate, point in ranked.at_rates.items()}
    return {"asked for": ranked.at, **({"best F1 here": ranked.best} if ranked.best else {}), **rates}


def _groups(console: Console, ranked: Figures, question: Question) -> None:
    """Each group at the threshold that was asked for, and at that of 1 % false positives of all rows."""
    strict = next((rate for rate in ranked.at_rates if float(rate) == 0.01), None)
    columns = [f"recall at {ranked.at.threshold:g}", "false positives"]
    if strict is not None:
        columns += [f"recall at {_threshold(ranked.at_rates[strict])}", "false positives"]
    table = _table(question.group or "", ["yes", "no"], ["AUROC", *columns])
    for name, part in ranked.groups.items():
        points = [part.at] if strict is None else [part.at, part.at_rates[strict]]
        shares = [_share(one) for point in points for one in (point.recall, point.false_positives)]
        table.add_row(Text(name), f"{part.positives:,}", f"{part.rows - part.positives:,}", _area(part.auroc), *shares)
    console.print(table)


def _agreements(console: Console, name: str, found: Agreements, question: Question) -> None:
    _lines(console, name, {"all": found.total, **found.labels})
    if found.groups:
        _lines(console, question.group or "", found.groups)
    if found.macro_f1 is not None and len(found.labels) > 1:
        console.print(f"mean F1 of the labels: {found.macro_f1:.3f}")


def _lines(console: Console, title: str, lines: Mapping[str, Agreement]) -> None:
    table = _table(title, ["there", "found", "right"], ["precision", "recall", "F1", "F2"])
    for name, one in lines.items():
        counts = (f"{count:,}" for count in (one.truths, one.found, one.right))
        table.add_row(Text(name), *counts, _share(one.precision), _share(one.recall), _area(one.f1), _area(one.f2))
    console.print(table)


def _numbers(console: Console, result: Result) -> None:
    if not result.numbers:
        return
    table = _table("number of", ["yes"], ["AUROC", "average precision"])
    for label, ranked in result.numbers.items():
        table.add_row(Text(label), f"{ranked.positives:,}", _area(ranked.auroc), _area(ranked.average_precision))
    console.print(table)


def _table(first: str, plain: Sequence[str], estimates: Sequence[str]) -> Table:
    """A table with a column of names, then columns of plain values, then of figures with their intervals."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in plain:
        table.add_column(name, justify="right")
    for name in estimates:
        # Where a terminal is narrow, the interval stands below its figure, and is not cut.
        table.add_column(name, justify="right", min_width=9)
    return table


def _threshold(point: Point) -> str:
    return "none" if abs(point.threshold) == float("inf") else f"{point.threshold:.4g}"


def _share(estimate: Estimate | None) -> Text:
    """A share in percent, and its interval."""
    if estimate is None:
        return Text("")
    low, high = (f"{bound:.1%}".rstrip("%") for bound in (estimate.low, estimate.high))
    return Text.assemble(f"{estimate.value:.1%}", (f" {low}-{high}", "dim"))


def _area(estimate: Estimate | None) -> Text:
    """A figure between 0 and 1, and its interval."""
    if estimate is None:
        return Text("")
    low, high = (f"{bound:.3f}".removeprefix("0") for bound in (estimate.low, estimate.high))
    return Text.assemble(f"{estimate.value:.3f}", (f" {low}-{high}", "dim"))
