"""What a request or an answer holds that no metric can read, by kind: images, sound, files, what the provider keeps."""

from __future__ import annotations

from guard.metrics.metric import Cost, Metric
from guard.metrics.score import Score
from guard.metrics.turn import UNREAD, Side, Turn

#: What rules call it.
NAME = "unread"


def unread() -> Metric:
    """The metric of kind labels. It is the same for all texts of a request, and for all of an answer."""

    def measure(turn: Turn, side: Side) -> Score:
        kinds = turn.unread_output if side == "output" else turn.unread
        return Score(kinds, labels=kinds)

    return Metric(
        NAME,
        measure,
        kind="labels",
        version="2",
        sides=frozenset({"input", "tool_result", "output"}),
        cost=Cost.FREE,
        labels=frozenset(UNREAD),
        of_turn=True,
        description="the kinds of what a request or an answer holds that no metric can read",
    )
