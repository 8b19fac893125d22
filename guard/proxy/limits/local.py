"""Counts of this process."""

from __future__ import annotations

from collections.abc import Sequence

from guard.proxy.limits.counter import Counter, Window

#: Counts that are kept. Beyond them those that began longest ago are forgotten: callers may make up users without end.
MOST = 100_000


class LocalCounts:
    """Counts by counter and window, forgotten when both that window and the next are over."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._used: dict[tuple[str, int], int] = {}
        self._held: dict[str, set[str]] = {}

    async def take(self, counters: Sequence[Counter], lease: str, now: float) -> tuple[int | None, list[int]]:
        """Count a request by all of the counters, or by none."""
        left = [counter.limit - self._count(counter, now) for counter in counters]
        over = next((place for place, number in enumerate(left) if number < 1), None)
        if over is None:
            for counter in counters:
                if counter.kind == "concurrent":
                    self._held.setdefault(counter.name, set()).add(lease)
                elif counter.kind == "requests":
                    self._add(counter, 1, now)
        return over, left

    async def give_back(self, counters: Sequence[Counter], lease: str, tokens: int, now: float) -> None:
        """The request has ended."""
        for counter in counters:
            if counter.kind == "tokens":
                self._add(counter, tokens, now)
            elif counter.kind == "concurrent" and (held := self._held.get(counter.name)):
                held.discard(lease)
                if not held:
                    del self._held[counter.name]

    def _count(self, counter: Counter, now: float) -> int:
        if counter.kind == "concurrent":
            return len(self._held.get(counter.name, ()))
        window = Window.of(counter.every, now)
        before = self._used.get((counter.name, window.before), 0)
        return self._used.get((counter.name, window.number), 0) + int(before * window.weight)

    def _add(self, counter: Counter, number: int, now: float) -> None:
        window = Window.of(counter.every, now)
        key = (counter.name, window.number)
        self._used[key] = self._used.get(key, 0) + number
        self._used.pop((counter.name, window.before - 1), None)
        while len(self._used) > self._most:
            del self._used[next(iter(self._used))]
