"""A text with the personal data that stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guard.metrics.score import Span


@dataclass(frozen=True, slots=True)
class Row:
    """One text, its letter case kept. `spans` are in order, without overlaps, labelled as in metrics/pii/head.yaml.

    `known` are the labels that whoever marked the text looked for: another may stand in it unmarked, and the loss must
    not take its words for harmless. `group` is what must stay in one split: the template, where there is one.
    """

    text: str
    spans: tuple[Span, ...]
    known: frozenset[str]
    source: str
    group: str
    split: Literal["train", "valid"]
