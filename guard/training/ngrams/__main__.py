"""Make the n-gram model from its spec, and report on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from guard.metrics.ngrams import FOLDER, Model
from guard.training.ngrams.card import card
from guard.training.ngrams.compose import compose
from guard.training.ngrams.fit import Column, features, fit
from guard.training.ngrams.report import Measured, figures, measured
from guard.training.ngrams.rows import Row, rows
from guard.training.ngrams.spec import HeadSpec, Spec, read_spec
from guard.training.ngrams.write import add_thresholds, write_model

SPEC = Path(__file__).with_name("spec.yaml")

app = typer.Typer(add_completion=False)


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="The folder with the outside data of guard/training/manifest.json.")],
    spec: Annotated[Path, typer.Option(help="What to train on, and how.")] = SPEC,
    out: Annotated[Path, typer.Option(help="Where weights.npz, model.json and card.md go.")] = FOLDER,
) -> None:
    """Train every head of the spec, write the model, and report on the rows that were kept for validation."""
    told = read_spec(spec)
    columns: dict[str, Column] = {}
    by_head: dict[str, list[Row]] = {}
    with _progress() as progress:
        for head in told.heads:
            found = rows(head, data, told.seed)
            if head.composed:
                found += compose(head.composed, head, found, told.seed)
            by_head[head.name] = found
            columns |= _head(head, told, found, progress)
        write_model(out, told, columns)
        model = Model(out)
        reports = [_measured(model, head, by_head[head.name], progress) for head in told.heads]
    add_thresholds(out, {report.head.name: report.thresholds() for report in reports})
    (out / "card.md").write_text(card(told, by_head, reports, (out / "weights.npz").stat().st_size), encoding="utf-8")
    Console().print("\n".join(figures(report) for report in reports), markup=False, soft_wrap=True)


def _head(head: HeadSpec, spec: Spec, found: list[Row], progress: Progress) -> dict[str, Column]:
    trained = [row for row in found if row.fold == "train"]
    held = [row for row in found if row.fold == "held"]
    with _task(progress, f"{head.name}: reading", len(trained) + len(held)) as step:
        on = features(trained, spec, step)
        off = features(held, spec, step)
    columns = {}
    with _task(progress, f"{head.name}: fitting", 1 + len(head.labels)) as step:
        for column in (head.name, *head.labels):
            columns[column] = fit(column, head, spec, on, off)
            step()
    return columns


def _measured(model: Model, head: HeadSpec, found: list[Row], progress: Progress) -> Measured:
    with _task(progress, f"{head.name}: validating", sum(row.fold == "valid" for row in found)) as step:
        return measured(model, head, found, step)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn(), transient=False
    )


@contextmanager
def _task(progress: Progress, what: str, total: int) -> Iterator[Callable[[], None]]:
    task = progress.add_task(what, total=total)
    yield lambda: progress.advance(task)
    progress.update(task, completed=total)


if __name__ == "__main__":
    app()
