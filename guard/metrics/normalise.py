"""Text as it means, not as it is spelt: the views of a passage that metrics read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """One reading of a passage. `original(start, end)` maps a span of `text` back to the passage; None: it is the same."""

    text: str
    kind: str = "normal"
    original: Callable[[int, int], tuple[int, int]] | None = None


def views(passage: str, *, decoded: bool = True) -> tuple[View, ...]:
    """The readings of a passage: the normalised text first, then with `decoded` each decoded view."""
    return (View(passage),)
