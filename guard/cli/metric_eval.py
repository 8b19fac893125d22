"""`guard metrics eval`: how good metrics are on labelled rows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console

from guard.cli.metric_figures import show
from guard.cli.metric_rows import AtOnce, In, PolicyFile, SideName, reading, scorer
from guard.errors import SettingsError

if TYPE_CHECKING:
    from guard.evaluate import Evaluation


def evaluate(
    source: In,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A metric; default: all that the rows have scores of.")
    ] = None,
    label: Annotated[str, typer.Option(help="The field that says what is right, such as labels.toxic.")] = "label",
    rename: Annotated[list[str] | None, typer.Option(help="THEIRS=OURS: a label that has another name here.")] = None,
    group: Annotated[str | None, typer.Option(help="A field; figures also for each of its values.")] = None,
    at: Annotated[float, typer.Option(help="The threshold to look at.")] = 0.5,
    low: Annotated[bool, typer.Option("--low", help="Label 1 means a low number, at or below the threshold.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="A file for all figures.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="A picture, .png or .svg.")] = None,
    policy: PolicyFile = None,
    side: SideName = None,
    at_once: AtOnce = 16,
) -> None:
    """Compare what metrics give with what is right; scores that rows have already are not measured again.

    Exits with 1 where a metric failed on a row.
    """
    from guard import evaluate as room
    from guard.evaluate.plot import check, draw

    if plot is not None:
        check(plot)
    question = room.Question(label, _renamed(rename or ()), group, at, low)
    measures = scorer(metric or (), policy, side)
    with reading(source, "evaluating") as rows:
        evaluation = asyncio.run(room.evaluate(rows, measures, question, at_once))
    # A pipe takes whole tables; a terminal folds them to its width.
    show(Console(highlight=False, width=None if sys.stdout.isatty() else 160), evaluation, question)
    if json is not None:
        _write(json, evaluation)
    if plot is not None:
        draw(evaluation.results, plot)
    raise typer.Exit(1 if any(result.failed for result in evaluation.results) else 0)


def _renamed(pairs: Iterable[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not (theirs and equals and ours):
            raise SettingsError(f"--rename: '{pair}' is not THEIRS=OURS, such as --rename PERSON=name")
        names[theirs] = ours
    return names


def _write(file: Path, evaluation: Evaluation) -> None:
    """All figures; what is infinite or undefined is null."""
    results = [
        {name: getattr(result, name) for name in result.__slots__ if name != "curve"} for result in evaluation.results
    ]
    data = orjson.dumps({"unlabelled": evaluation.unlabelled, "results": results}, option=orjson.OPT_INDENT_2)
    try:
        file.write_bytes(data + b"\n")
    except OSError as error:
        raise SettingsError(f"--json: {file} cannot be written ({error.strerror})") from None
