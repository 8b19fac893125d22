"""Which turns a policy applies to, and which of several policies is the nearest."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import cache

from pydantic import BaseModel, ConfigDict, Field

Patterns = tuple[str, ...]

#: How near a full name is: nearer than any pattern.
LITERAL = 1_000_000


class AppliesTo(BaseModel):
    """Patterns with `*`, `?` and `[…]`; one of each list must match. By default everything does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    apps: Patterns = Field(default=("*",), min_length=1)
    models: Patterns = Field(default=("*",), min_length=1)
    routes: Patterns = Field(default=("*",), min_length=1)

    def nearness(self, app: str, model: str, route: str) -> tuple[int, ...] | None:
        """How closely this names the turn, to be compared; None where it does not apply.

        A literal is nearer than a pattern, a longer pattern nearer than a shorter one; apps count before models before
        routes.
        """
        near = []
        for patterns, value in ((self.apps, app), (self.models, model), (self.routes, route)):
            nearest = max((_nearness(pattern, value) for pattern in patterns), default=-1)
            if nearest < 0:
                return None
            near.append(nearest)
        return tuple(near)


def _nearness(pattern: str, value: str) -> int:
    """How near a pattern is to a value that it matches; -1 where it does not."""
    if pattern == value:
        return LITERAL
    if pattern == "*":
        return 0
    matches, weight = _compiled(pattern)
    return weight if matches(value) else -1


@cache
def _compiled(pattern: str) -> tuple[Callable[[str], object], int]:
    return re.compile(translate(pattern)).match, sum(character not in "*?[]" for character in pattern)
