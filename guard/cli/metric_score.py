"""`guard metrics score`: what metrics give for each row of a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console

from guard.cli.metric_rows import AtOnce, In, MetricNames, PolicyFile, SideName, reading, scorer
from guard.errors import SettingsError


def score(
    metric: MetricNames,
    source: In,
    out: Annotated[str, typer.Option("--out", help="Where the scored rows go: a file, a .gz, or '-'.")] = "-",
    policy: PolicyFile = None,
    side: SideName = None,
    at_once: AtOnce = 16,
) -> None:
    """Measure every row and write it with its scores, in order. Exits with 1 where a metric failed on a row."""
    from guard.evaluate import scored, writing

    if out != "-" and source != "-" and Path(out).resolve() == Path(source).resolve():
        raise SettingsError(f"--out: {out} is the file that is read; name another")
    measures = scorer(metric, policy, side)
    failed: Counter[str] = Counter()
    first: dict[str, str] = {}

    async def work() -> int:
        count = 0
        with reading(source, "scoring") as rows, writing(out) as write:
            async for row, entries in scored(rows, measures, at_once):
                write({**row.fields, "scores": {**row.scores, **entries}})
                for name, entry in entries.items():
                    if "error" in entry:
                        failed[name] += 1
                        first.setdefault(name, f"{row.place}: {entry['error']}")
                count += 1
        return count

    started = perf_counter()
    count = asyncio.run(work())
    seconds = perf_counter() - started
    console = Console(stderr=True)
    console.print(f"{count:,} rows in {seconds:.1f} s, {count / seconds:,.0f} a second", markup=False, style="dim")
    for name, times in failed.items():
        console.print(f"{name} failed on {times:,} rows; the first: {first[name]}", markup=False, style="red")
    raise typer.Exit(1 if failed else 0)
