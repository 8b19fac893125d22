"""What a request holds that no metric can read, by kind: images, sound, files, what the provider keeps."""

from __future__ import annotations

from guard.metrics.metric import Cost, Metric
from guard.metrics.score import Score
from guard.metrics.turn import UNREAD, Side, Turn


def unread() -> Metric:
    """The metric of kind labels. It is the same for all of a turn's texts."""

    def measure(turn: Turn, side: Side) -> Score:
        return Score(turn.unread, labels=turn.unread)

    return Metric(
        "unread",
        measure,
        kind="labels",
        version="1",
        sides=frozenset({"input", "tool_result"}),
        cost=Cost.FREE,
        labels=frozenset(UNREAD),
        of_turn=True,
        description="the kinds of what a request holds that no metric can read",
    )
