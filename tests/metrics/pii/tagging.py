"""A tiny model of the encoder whose token head tags words as the test says, and what a metric finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guard.metrics import Metric, Turn
from guard.metrics.score import Score
from tests.metrics.encoder.tiny import TOKEN_COLUMNS, heads, write


def tagging(folder: Path, *, logit: float = 8.0, thresholds: dict[str, float] | None = None, **types: str) -> Path:
    """A model that tags each of the words as the beginning of that type (of two types at most), with that logit."""
    one, two = (*sorted(set(types.values())), "NOTHING", "ELSE")[:2]
    columns = {one: "pii/B-PERSON", two: "pii/B-PLACE"}
    renamed = tuple(column.replace("PERSON", one).replace("PLACE", two) for column in TOKEN_COLUMNS)
    said: dict[str, Any] = heads() | {"pii": {"kind": "spans", "thresholds": thresholds or {}}}
    marks = {word: {columns[type_]: logit} for word, type_ in types.items()}
    return write(folder, marks=marks, token_columns=renamed, heads=said)


def found(metric: Metric, text: str) -> set[tuple[str, str]]:
    """Each finding's label and its words."""
    score = metric.measure(Turn.of(text), "input")
    assert isinstance(score, Score)
    return {(span.label, text[span.start : span.end]) for span in score.spans}
