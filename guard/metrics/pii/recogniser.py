"""What finds personal data for `pii`: Presidio, patterns, telephone numbers, the token head, other models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from guard.metrics.metric import Cost
from guard.metrics.score import Span


class Recogniser(Protocol):
    """Finds personal data in a text without lone surrogates; any object with these may stand beside ours."""

    @property
    def labels(self) -> frozenset[str]:
        """What it may find: labels of ours."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same text could give something else."""
        ...

    @property
    def cost(self) -> Cost:
        """Roughly what reading a short text costs."""
        ...

    def load(self) -> None:
        """Load what it needs, so that the first text does not wait for it."""
        ...

    def __call__(self, text: str) -> Iterable[Span]:
        """What it finds, with scores 0..1; overlaps may stay."""
        ...
