"""The files of a model: weights.npz, and model.json that says what they mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guard.metrics.ngrams import EVEN
from guard.training.ngrams.fit import Column
from guard.training.ngrams.spec import HeadSpec, Spec


def write_model(folder: Path, spec: Spec, columns: Mapping[str, Column]) -> None:
    """Write both files; the same columns give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.npz"
    np.savez_compressed(weights, table=np.stack([column.weights for column in columns.values()], axis=1))
    facts = {
        "name": spec.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "window": {"size": spec.window.size, "overlap": spec.window.overlap},
        "scales": [column.scale for column in columns.values()],
        "biases": [column.bias for column in columns.values()],
        "heads": [_head(head, columns) for head in spec.heads],
    }
    _write_json(folder, facts)


def add_thresholds(folder: Path, thresholds: Mapping[str, Mapping[str, float]]) -> None:
    """Note for each head from which value on which share of ordinary texts is taken for the thing."""
    _write_json(folder, {**json.loads((folder / "model.json").read_text("utf-8")), "thresholds": thresholds})


def _write_json(folder: Path, facts: Mapping[str, Any]) -> None:
    (folder / "model.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _head(head: HeadSpec, columns: Mapping[str, Column]) -> dict[str, Any]:
    order = list(columns)
    labels = [
        {
            "name": label,
            "column": order.index(label),
            "threshold": columns[label].threshold,
            "floor": 0.0 if label in head.alone else EVEN,
        }
        for label in head.labels
    ]
    return {"name": head.name, "column": order.index(head.name), "names_one": head.names_one, "labels": labels}
