"""`guard train`: the shipped model from its spec, or another of your own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from guard.errors import SettingsError

if TYPE_CHECKING:
    from guard.training.run import Trained

SPEC = Path(__file__).parents[1] / "training" / "spec.yaml"


class Terminal:
    """Shows a run as progress bars, one a piece of work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar of `total` steps."""
        task = self._progress.add_task(what, total=total)
        yield lambda done: self._progress.advance(task, done)
        self._progress.update(task, completed=total)

    def say(self, line: str) -> None:
        """A line above the bars."""
        self._progress.console.print(line, markup=False)


def train(
    data: Annotated[Path, typer.Option(help="The folder with the outside data of guard/training/manifest.json.")],
    spec: Annotated[Path, typer.Option(help="What to train on, and how.")] = SPEC,
    work: Annotated[Path, typer.Option(help="Checkpoints and log; a run that was stopped goes on from here.")] = Path(
        "training-run"
    ),
    out: Annotated[Path | None, typer.Option(help="Where the model goes; without it the run only validates.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="The model.onnx that the spec goes on from, where it names one.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores unless told.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="A source to leave out, to see how well others stand in for it; repeat it.")
    ] = None,
) -> None:
    """Train the model that a spec describes: rounds of learning and mining, then calibration, export and a card."""
    try:
        from guard.training.run import Run
        from guard.training.ship import ship
        from guard.training.start import use_threads
    except ImportError as error:
        raise SettingsError(f"training needs more ({error}); pip install 'stageguard[models,training]'") from error
    if threads:
        use_threads(threads)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        watch = Terminal(progress)
        trained = Run(spec, data, work, device, frozenset(without or ()), watch, start=start)()
        if out is not None:
            size = ship(trained, data, out, watch)
            watch.say(f"{out}: model.onnx, tokenizer.json, model.json and card.md, {size / 2**20:.1f} MiB")
    Console().print(_areas(trained, frozenset(without or ())), markup=False)


def _areas(trained: Trained, without: frozenset[str]) -> str:
    """Areas under the curve, a head's over all rows and then by source; with `without`, only of those left out."""
    lines = []
    for column, by_source in trained.areas.items():
        shown = {name: area for name, area in by_source.items() if name in without or not without}
        if "/" not in column and shown:
            lines += [f"{column:20} {name:36} {area:.3f}" for name, area in sorted(shown.items())]
    return "\n".join(lines)
