"""Which turns a policy applies to, and which of several policies is the nearest."""

from __future__ import annotations

from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

Patterns = tuple[str, ...]


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
        near = [_nearest(self.apps, app), _nearest(self.models, model), _nearest(self.routes, route)]
        return None if None in near else tuple(part for part in near if part is not None)


def _nearest(patterns: Patterns, value: str) -> int | None:
    matching = [_weight(pattern, value) for pattern in patterns if pattern == value or fnmatchcase(value, pattern)]
    return max(matching, default=None)


def _weight(pattern: str, value: str) -> int:
    return 1_000_000 if pattern == value else sum(character not in "*?[]" for character in pattern)
