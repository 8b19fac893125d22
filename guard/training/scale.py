"""The model's facts: what its columns mean, calibrated on rows kept from training, with thresholds that travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.metrics.pii.head import head_labels
from guard.training.calibrate import Scale, fitted, threshold
from guard.training.encode import WORD_HEADS
from guard.training.spec import HeadSpec, Spec
from guard.training.validate import Judged

#: Shares of harmless texts that a head's thresholds are given for.
RATES = (0.001, 0.005, 0.01, 0.05)

Floats = NDArray[np.float64]


def facts(spec: Spec, held: Mapping[str, Judged], ordinary: Mapping[str, Judged]) -> dict[str, Any]:
    """`model.json` but for the hashes. `held` rows calibrate; `ordinary` rows (those of the fold for it)
    set the thresholds for false alarms.
    """
    return {
        "name": spec.name,
        "version": spec.version,
        "window": spec.window.model_dump(),
        "pair": spec.pair.model_dump(),
        "columns": list(spec.columns),
        "token_columns": token_columns(),
        "heads": {name: _head(name, head, spec, held, ordinary) for name, head in spec.heads.items()},
    }


def uncalibrated(spec: Spec) -> dict[str, Any]:
    """The same before anything is known of its numbers."""
    return facts(spec, {}, {})


def token_columns() -> list[str]:
    """The names of a token's numbers: personal data by tag, then the heads that mark words."""
    tags = ["pii/O", *(f"pii/{tag}-{label}" for label in head_labels() for tag in "BI")]
    return [*tags, *WORD_HEADS]


def _head(
    name: str, head: HeadSpec, spec: Spec, held: Mapping[str, Judged], ordinary: Mapping[str, Judged]
) -> dict[str, Any]:
    if head.kind == "choice":
        return {"kind": "label"} if head.labels else {"kind": "spans", "thresholds": head.thresholds}
    scale = _fitted(name, spec, held).where(head.prior)
    told: dict[str, Any] = {"kind": head.kind, "scale": scale.scale, "bias": scale.bias}
    told["names_one"] = head.names_one
    numbers, sources = _harmless(name, spec, ordinary)
    if head.kind == "number" and sources:
        told["thresholds"] = {f"{rate:g}": threshold(scale(numbers), rate, sources) for rate in RATES}
    told["labels"] = {label: _label(name, label, head, spec, held) for label in head.labels}
    return told


def _label(name: str, label: str, head: HeadSpec, spec: Spec, held: Mapping[str, Judged]) -> dict[str, float]:
    """A label counts from even odds on, or from where few enough of the rows without it would have it too."""
    column = f"{name}/{label}"
    scale = _fitted(column, spec, held)
    truths, numbers = _known(column, spec, held)
    without = scale(numbers[truths == 0])
    rate = threshold(without, head.label_false_alarms, ["all"] * len(without)) if len(without) else 0.5
    return {
        "scale": scale.scale,
        "bias": scale.bias,
        "threshold": max(0.5, rate),
        "floor": head.alone.get(label, 0.5),
    }


def _fitted(column: str, spec: Spec, held: Mapping[str, Judged]) -> Scale:
    truths, numbers = _known(column, spec, held)
    return fitted(numbers, truths, np.ones(len(truths)))


def _known(column: str, spec: Spec, held: Mapping[str, Judged]) -> tuple[Floats, Floats]:
    at = spec.columns.index(column)
    parts = [each.known(column, at) for each in held.values()]
    truths, numbers = ([each[side] for each in parts] for side in (0, 1))
    return np.concatenate([*truths, np.empty(0)]), np.concatenate([*numbers, np.empty(0)])


def _harmless(column: str, spec: Spec, ordinary: Mapping[str, Judged]) -> tuple[Floats, list[str]]:
    """The logits of the ordinary rows that are known to be harmless, and their sources."""
    found: dict[str, Floats] = {}
    for name, each in ordinary.items():
        truths, numbers = each.known(column, spec.columns.index(column))
        found[name] = numbers[truths == 0]
    return np.concatenate([*found.values(), np.empty(0)]), [name for name, each in found.items() for _ in each]
