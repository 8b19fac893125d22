"""`{kind: label, label: team}`: what a label of the turn says. `user` and others that say whose it is are built in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Maker, Metric
from guard.metrics.score import Score
from guard.metrics.turn import Side, Turn


class Label(Maker):
    """`label` is the name of the label, by default the metric's own."""

    kind: ClassVar[str] = "label"
    label: str | None = Field(default=None, min_length=1)

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind label: what the turn's label says, an empty string where it has none."""
        return reading(name, self.label or name)


def built_in(label: str) -> Callable[[], Metric]:
    """The factory of the metric that is called as the label is."""
    return lambda: reading(label, label)


def reading(name: str, label: str) -> Metric:
    """The metric of that name that gives a label of the turn. It is the same for all of a turn's texts."""

    def measure(turn: Turn, side: Side) -> Score:
        return Score(turn.labels.get(label, ""))

    return Metric(
        name,
        measure,
        kind="label",
        version=fingerprint(label),
        cost=Cost.FREE,
        of_turn=True,
        description=f"what the turn's label '{label}' says",
    )


app, user, session, model = map(built_in, ("app", "user", "session", "model"))
