"""`guard metrics`: what there is to measure."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from guard.cli import metric_eval, metric_score, metric_train
from guard.metrics.registry import REGISTRY, field_names, kinds, maker

app = typer.Typer(help="What there is to measure, and how well it is measured.", no_args_is_help=True)
app.command("score")(metric_score.score)
app.command("eval")(metric_eval.evaluate)
app.command("train")(metric_train.train)


@app.command("list")
def list_metrics() -> None:
    """The metrics that rules can name, and the kinds that policies can declare metrics of."""
    table = Table("metric", "gives", "labels", "what it measures", box=None, header_style="dim", pad_edge=False)
    for name in sorted(REGISTRY):
        metric = REGISTRY[name]
        table.add_row(name, metric.kind, _labels(metric.labels), metric.description)
    console = Console()
    console.print(table)
    console.print()
    declared = Table("kind", "fields", "what it declares", box=None, header_style="dim", pad_edge=False)
    for kind in sorted(kinds()):
        model = maker(kind)
        about = (model.__doc__ or "").strip().split("\n")[0]
        declared.add_row(kind, ", ".join(field_names(model)), about)
    console.print(declared)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="The metric's name.")]) -> None:
    """One metric: what it gives, of which sides, at what cost, and all its labels."""
    metric = REGISTRY[name]
    console = Console()
    console.print(f"{metric.name}: {metric.description}", markup=False, style="bold")
    console.print(f"gives a {metric.kind}, of {', '.join(sorted(metric.sides))}", markup=False)
    console.print(f"version {metric.version}, cost {metric.cost.name.lower()}", markup=False)
    if metric.labels:
        console.print("labels: " + ", ".join(sorted(metric.labels)), markup=False)


def _labels(labels: frozenset[str] | None) -> str:
    if labels is None:
        return ""
    shown = sorted(labels)
    return ", ".join(shown[:4]) + (f", … ({len(shown)})" if len(shown) > 4 else "")
