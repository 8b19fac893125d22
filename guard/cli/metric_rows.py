"""What `guard metrics score` and `guard metrics eval` share: the options, the metrics, the progress bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from guard.errors import MetricError, SettingsError, nearest
from guard.metrics.registry import REGISTRY
from guard.metrics.turn import SIDES
from guard.policies import load_policy

if TYPE_CHECKING:
    from guard.evaluate import Row, Scorer

In = Annotated[str, typer.Option("--in", help="JSON lines, a .gz of them, or '-' for standard input.")]
MetricNames = Annotated[list[str], typer.Option("--metric", help="A metric to measure; give it again for more.")]
PolicyFile = Annotated[str | None, typer.Option("--policy", help="A policy file whose own metrics can be named too.")]
SideName = Annotated[
    str | None, typer.Option("--side", help=f"What to measure: {', '.join(SIDES)}; default: what suits the metric.")
]
AtOnce = Annotated[int, typer.Option("--at-once", min=1, help="Rows in hand at a time.")]


def scorer(names: Sequence[str], policy: str | None, side: str | None) -> Scorer:
    """What measures these metrics, loaded and ready. Raises SettingsError, UnknownMetric or PolicyError."""
    from guard.evaluate import Scorer

    if side is not None and side not in SIDES:
        raise SettingsError(f"--side: no side '{side}'; {nearest(side, SIDES)}")
    known = REGISTRY if policy is None else load_policy(policy).metrics
    scorer = Scorer({name: known[name] for name in names}, side)  # type: ignore[arg-type] - checked above
    for name, metric in scorer.metrics.items():
        try:
            if metric.warm_up is not None:
                metric.warm_up()
        except Exception as error:  # noqa: BLE001 - a metric is foreign code: what it raises means that it cannot be used
            raise MetricError(f"metric '{name}' cannot be made ready: {type(error).__name__}: {error}") from None
    return scorer


@contextmanager
def reading(source: str, doing: str) -> Iterator[Iterator[Row]]:
    """The rows of a file; a bar on standard error, where that is a terminal, says how far it is read."""
    from guard.evaluate import read

    file = Path(source)
    size = file.stat().st_size if source != "-" and file.is_file() else None
    console = Console(stderr=True)
    columns = (
        *(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,} rows")),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=size, rows=0)

        def rows() -> Iterator[Row]:
            for number, row in enumerate(read(source, lambda place: bar.update(task, completed=place)), start=1):
                bar.update(task, rows=number)
                yield row

        yield rows()
