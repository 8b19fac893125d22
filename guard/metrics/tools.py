"""`{kind: tools, allowed: [search, "read_*"]}`: which tools the model calls that are not allowed. `tools` names all."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Maker, Metric
from guard.metrics.score import Score
from guard.metrics.turn import Side, Turn


class Tools(Maker):
    """`allowed` are names of tools, or patterns with `*`, `?` and `[…]`; upper and lower case are kept apart."""

    kind: ClassVar[str] = "tools"
    allowed: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = Field(max_length=10_000)

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels: the names of called tools that are not allowed."""

        def allows(tool: str) -> bool:
            return any(fnmatchcase(tool, pattern) for pattern in self.allowed)

        return _called(name, lambda tool: not allows(tool), "which called tools are not allowed", *self.allowed)


def tools() -> Metric:
    """The built-in metric: the names of all called tools."""
    return _called("tools", lambda tool: True, "which tools are called")


def _called(name: str, tells: Callable[[str], bool], description: str, *allowed: str) -> Metric:
    def measure(turn: Turn, side: Side) -> Score:
        names = tuple(dict.fromkeys(call.name for call in turn.tool_calls if tells(call.name)))
        return Score(names, labels=names)

    return Metric(
        name,
        measure,
        kind="labels",
        version=fingerprint(*allowed),
        sides=frozenset({"tool_call"}),
        cost=Cost.FREE,
        description=description,
    )
