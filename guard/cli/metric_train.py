"""`guard metrics train`: a head of one's own on the shipped encoder, from labelled rows."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from guard.cli.metric_figures import show
from guard.errors import SettingsError, nearest
from guard.metrics.encoder import encoder
from guard.metrics.registry import REGISTRY

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def train(
    name: Annotated[str, typer.Argument(help="The metric's name.")],
    data: Annotated[Path, typer.Option("--data", help="Labelled rows: .csv, .tsv or .jsonl, or a .gz of one.")],
    into: Annotated[Path, typer.Option("--into", help="The policy's folder, where the head and its card go.")] = Path(),
    text: Annotated[str, typer.Option(help="The field with the text.")] = "text",
    label: Annotated[str, typer.Option(help="The field with the label: 0/1, yes/no, a class, a list.")] = "label",
    group: Annotated[str | None, typer.Option(help="A field; rows of one group are never on both sides.")] = None,
    positive: Annotated[list[str] | None, typer.Option(help="A class that is a yes; all others are a no.")] = None,
    gives: Annotated[
        str | None, typer.Option(help="'labels': every class is a yes or no of its own, and none may be.")
    ] = None,
    separator: Annotated[str | None, typer.Option(help="What is between the labels of a row in CSV.")] = None,
    false_positives: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="The share that a threshold is proposed for.")
    ] = 0.01,
) -> None:
    """Fit a head of your own on the encoder, try it on rows held out, and write it for policies to use."""
    if not NAME.fullmatch(name):
        raise SettingsError(f"'{name}' is no name for a metric and a file; use letters, digits, _ and -")
    if name in REGISTRY:
        raise SettingsError(f"there is a built-in metric '{name}'; give yours another name")
    if gives not in (None, "labels"):
        raise SettingsError(f"--gives: '{gives}' cannot be asked for; {nearest(gives, ['labels'])} or leave it out")
    try:
        from guard.training.head.card import declaration, warnings
        from guard.training.head.train import train as fitted
        from guard.training.head.write import write
    except ImportError as error:
        raise SettingsError(f"training needs scikit-learn ({error}); pip install 'stageguard[training]'") from None
    from guard.evaluate import Evaluation, Question
    from guard.training.head.gather import Wanted

    wanted = Wanted(data, text, label, group, tuple(positive or ()), gives, separator, false_positives)
    started = perf_counter()
    with _bars() as begun:
        trained = fitted(name, wanted, encoder(), begun)
    file, card = write(trained, into)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    show(console, Evaluation((trained.result,), trained.gathered.left_out), Question(label))
    for line in warnings(trained):
        console.print(line, markup=False, style="yellow", soft_wrap=True)
    seconds = perf_counter() - started
    console.print(f"{trained.texts:,} rows in {seconds:.1f} s; held out: {card}", markup=False, soft_wrap=True)
    console.print(f"\n# {file}\n{declaration(trained)}", markup=False, soft_wrap=True)


@contextmanager
def _bars() -> Iterator[Callable[[str, int], Callable[[], object]]]:
    """A bar on standard error for each part of the work, where that is a terminal."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:

        def begun(what: str, steps: int) -> Callable[[], object]:
            task = progress.add_task(what, total=steps)
            return lambda: progress.advance(task)

        yield begun
