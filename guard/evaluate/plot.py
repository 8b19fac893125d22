"""Figures as a picture, PNG or SVG: what each threshold finds and falsely finds, and how labels and groups fare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from guard.errors import SettingsError
from guard.evaluate.agreement import Agreements
from guard.evaluate.estimate import Estimate
from guard.evaluate.figures import Figures
from guard.evaluate.tally import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg")
#: Where the axis of false positives begins; shares below, 0 too, are drawn there.
LEAST = 1e-4
#: Blue and orange of Okabe and Ito (2008), which the colour-blind can tell apart, and grey.
FOUND, FALSE, DIM = "#0072B2", "#D55E00", "#888888"


def check(file: Path) -> None:
    """Raises SettingsError where a picture could not be drawn into that file: better before measuring than after."""
    if file.suffix not in FORMATS:
        raise SettingsError(f"--plot: {file} is no picture; name a file that ends in {' or '.join(FORMATS)}")
    if find_spec("matplotlib") is None:
        raise SettingsError("--plot needs matplotlib; install it with: pip install 'stageguard[training]'")


def draw(results: Sequence[Result], file: Path) -> None:
    """Draw a line of panels for each metric. Raises SettingsError as `check` does."""
    check(file)
    from matplotlib.figure import Figure

    lines = [(result, _panels(result)) for result in results]
    wide, tall = max(len(panels) for _, panels in lines), [max(4.2, 1 + 0.3 * _names(result)) for result in results]
    figure = Figure(figsize=(1 + 4.6 * wide, sum(tall)), layout="constrained", dpi=150)
    grid = figure.subplots(len(lines), wide, squeeze=False, height_ratios=tall)
    for axes, (result, panels) in zip(grid, lines, strict=True):
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        for axis, panel in zip(axes, panels, strict=False):
            panel(axis)
            axis.spines[["top", "right"]].set_visible(False)
        title = f"{result.metric}, {result.rows:,} rows"
        axes[0].annotate(title, (0, 1), (0, 24), "axes fraction", textcoords="offset points", fontweight="bold")
    try:
        figure.savefig(file)
    except OSError as error:
        raise SettingsError(f"--plot: {file} cannot be written ({error.strerror})") from None


def _names(result: Result) -> int:
    """The most names that one of its panels lists."""
    lists = (found.labels for found in (result.labels, result.overlap) if found)
    return max(map(len, (*lists, result.figures.groups if result.figures else ())))


def _panels(result: Result) -> list[Callable[[Axes], None]]:
    panels: list[Callable[[Axes], None]] = []
    ranked = result.figures
    if ranked is not None and ranked.best is not None:
        panels += [lambda axis: _roc(axis, result, ranked), lambda axis: _precision(axis, result, ranked)]
    if ranked is not None and (ranked.groups or ranked.best is None):
        panels.append(lambda axis: _groups(axis, ranked))
    for name, found in (
        ("labels", result.labels),
        ("spans, overlapping", result.overlap),
        ("spans, exact", result.exact),
    ):
        if found is not None:
            panels.append(lambda axis, name=name, found=found: _labels(axis, name, found))
    return panels


def _roc(axis: Axes, result: Result, ranked: Figures) -> None:
    assert result.curve is not None and ranked.auroc is not None
    curve = result.curve
    alarms, hits = curve.alarms / len(curve.negatives), curve.hits / len(curve.positives)
    axis.plot(np.maximum(alarms, LEAST), hits, color=FOUND, drawstyle="steps-post")
    for rate, point in ranked.at_rates.items():
        assert point.recall is not None
        axis.axvline(float(rate), color=DIM, linewidth=0.6, linestyle=":")
        _bar(axis, float(rate), point.recall, FOUND, upright=True)
    axis.set(xscale="log", xlim=(LEAST, 1), ylim=(-0.02, 1.02), xlabel="false positives", ylabel="recall")
    axis.set_title(f"AUROC {ranked.auroc}", fontsize="small", loc="left")


def _precision(axis: Axes, result: Result, ranked: Figures) -> None:
    assert result.curve is not None
    curve = result.curve
    hits = curve.hits[1:]
    axis.plot(hits / len(curve.positives), hits / (hits + curve.alarms[1:]), color=FOUND)
    axis.axhline(ranked.positives / ranked.rows, color=DIM, linewidth=0.6, linestyle=":")
    for name, mark, point in (("at", "o", ranked.at), ("best F1 at", "^", ranked.best)):
        if point is not None and point.recall and point.precision and point.f1:
            label = f"{name} {point.threshold:.3g}: F1 {point.f1.value:.3f}"
            axis.plot(point.recall.value, point.precision.value, mark, color=FALSE, label=label)
    axis.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axis.legend(loc="lower left", frameon=False, fontsize="small")
    axis.set_title(f"average precision {ranked.average_precision}", fontsize="small", loc="left")


def _groups(axis: Axes, ranked: Figures) -> None:
    groups: Mapping[str, Figures] = ranked.groups or {"all": ranked}
    for number, (_, part) in enumerate(groups.items()):
        for estimate, colour, shift in ((part.at.recall, FOUND, -0.15), (part.at.false_positives, FALSE, 0.15)):
            if estimate is not None:
                _bar(axis, number + shift, estimate, colour)
    _rows(axis, [f"{name} ({part.rows:,})" for name, part in groups.items()])
    axis.set_title(f"at {ranked.at.threshold:g}: recall (blue), false positives (orange)", fontsize="small", loc="left")


def _labels(axis: Axes, name: str, found: Agreements) -> None:
    lines = {"all": found.total, **found.labels}
    for number, one in enumerate(lines.values()):
        for estimate, colour, shift in ((one.recall, FOUND, -0.15), (one.precision, FALSE, 0.15)):
            if estimate is not None:
                _bar(axis, number + shift, estimate, colour)
    _rows(axis, [f"{label} ({one.truths:,})" for label, one in lines.items()])
    axis.set_title(f"{name}: recall (blue), precision (orange)", fontsize="small", loc="left")


def _rows(axis: Axes, names: Sequence[str]) -> None:
    axis.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5), xlim=(-0.02, 1.02))


def _bar(axis: Axes, place: float, estimate: Estimate, colour: str, *, upright: bool = False) -> None:
    """A dot with its interval."""
    error: Any = [[estimate.value - estimate.low], [estimate.high - estimate.value]]
    x, y, along = (place, estimate.value, "yerr") if upright else (estimate.value, place, "xerr")
    axis.errorbar(x, y, **{along: error}, fmt="o", color=colour, markersize=4, linewidth=1, capsize=2)
