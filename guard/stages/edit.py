"""Replacements in a passage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in a passage: characters start to end, exclusive, become `text`."""

    start: int
    end: int
    text: str


def apply(passage: str, changes: Iterable[Edit]) -> str:
    """The passage with the edits made; they are in order and do not overlap."""
    pieces, at = [], 0
    for edit in changes:
        pieces += [passage[at : edit.start], edit.text]
        at = edit.end
    return "".join((*pieces, passage[at:])) if pieces else passage
