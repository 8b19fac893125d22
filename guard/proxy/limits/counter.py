"""What is counted for one caller, and in which stretch of time."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

Every = Literal["minute", "hour", "day", "month"]
Kind = Literal["requests", "tokens", "concurrent"]

SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time: its number, the one before, `left` seconds to its end, and how much of the last one counts.

    Minutes and hours slide: of the one before, that part counts which lies within the last minute or hour. Days and
    months are those of the calendar, in UTC.
    """

    number: int
    before: int
    left: float
    weight: float

    @classmethod
    def of(cls, every: Every, now: float) -> Window:
        """The one that holds `now`, in UTC epoch seconds."""
        if every == "month":
            day = datetime.fromtimestamp(now, UTC)
            number = day.year * 12 + day.month - 1
            days = calendar.monthrange(day.year, day.month)[1]
            begun = datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()
            return cls(number, number - 1, begun + days * 86_400 - now, 0.0)
        length = SECONDS[every]
        number = int(now // length)
        left = (number + 1) * length - now
        return cls(number, number - 1, left, left / length if every in ("minute", "hour") else 0.0)


@dataclass(frozen=True, slots=True)
class Counter:
    """One count of a caller's: `concurrent` is what is under way now, the others are what was used in a window."""

    name: str
    kind: Kind
    limit: int
    every: Every


class Counts(Protocol):
    """Where counts are kept."""

    async def take(self, counters: Sequence[Counter], lease: str, now: float) -> tuple[int | None, list[int]]:
        """Count a request by all of the counters, or, where one is used up, by none.

        Gives the index of that one, and what was left of each before. `lease` names what is under way.
        """
        ...

    async def give_back(self, counters: Sequence[Counter], lease: str, tokens: int, now: float) -> None:
        """The request has ended, and has used that many tokens."""
        ...
