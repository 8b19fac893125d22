"""`guard check`: one text through one stage of a policy, on the terminal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from guard.errors import SettingsError, nearest
from guard.guard import Guard
from guard.metrics import SIDES, Failure, Measurement
from guard.policies import load_policies
from guard.verdict import Verdict


def check(
    text: Annotated[str, typer.Argument(help="The text to check; '-' reads it from standard input.")],
    policy: Annotated[str, typer.Option(help="A policy file, a folder of them, or builtin/NAME.")] = "builtin/baseline",
    stage: Annotated[str, typer.Option(help=f"One of {', '.join(SIDES)}.")] = "input",
    app: Annotated[str, typer.Option(help="The app to choose the policy for.")] = "",
) -> None:
    """Check one text: what was decided, why, and what every metric measured. Exits with 1 where it is blocked."""
    if stage not in SIDES:
        raise SettingsError(f"--stage: no stage '{stage}'; {nearest(stage, SIDES)}")
    said = sys.stdin.read() if text == "-" else text
    policies = load_policies(policy)
    # Loading what the policy measures with is no part of the check's time.
    policies.select(app).make_ready()
    guard = Guard(policies, measure_all=True)
    verdict = guard.check(said, stage, app=app)  # type: ignore[arg-type] - checked above
    _show(Console(), verdict)
    raise typer.Exit(0 if verdict.allowed else 1)


def _show(console: Console, verdict: Verdict) -> None:
    console.print(verdict.why, style="bold green" if verdict.allowed else "bold red", markup=False)
    console.print(f"policy {verdict.policy.label}, {verdict.millis:.1f} ms", style="dim", markup=False)
    if verdict.reply is not None or verdict.decision.redactions:
        console.print("answer" if verdict.reply is not None else "goes on as", style="bold", end=": ")
        console.print(verdict.text, markup=False)
    table = Table("metric", "of", "value", "found", "ms", box=None, header_style="dim", pad_edge=False)
    for probe, measurement in verdict.decision.measurements.items():
        side = f"{probe.of} ({probe.only})" if probe.only else probe.of
        table.add_row(probe.metric, side, *_cells(measurement), f"{measurement.millis:.1f}")
    console.print(table)


def _cells(measurement: Measurement) -> tuple[str, str]:
    if isinstance(measurement, Failure):
        return "failed", measurement.error
    value = measurement.value
    shown = f"{value:.3f}" if isinstance(value, float) else "" if isinstance(value, tuple | None) else str(value)
    return shown, ", ".join(measurement.labels or ()) or measurement.reason
