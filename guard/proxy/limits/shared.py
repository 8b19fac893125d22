"""Counts that all workers share through Redis: one atomic script a request, and one round trip after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from guard.proxy.limits.counter import Counter, Window
from guard.redis import PREFIX, SharedRedis

SCRIPT = Path(__file__).with_name("take.lua")


class SharedCounts:
    """Counts in Redis. Raises RedisAway. `longest` are the seconds after which a request that nobody ended is over."""

    def __init__(self, redis: SharedRedis, longest: float) -> None:
        self._redis = redis
        self._longest = longest

    async def take(self, counters: Sequence[Counter], lease: str, now: float) -> tuple[int | None, list[int]]:
        """Count a request by all of the counters, or by none."""
        keys: list[str] = []
        values: list[str | int | float] = [now, lease]
        for counter in counters:
            window = Window.of(counter.every, now)
            keys += [_key(counter, window.number), _key(counter, window.before)]
            values += [counter.kind, counter.limit, window.weight, self._keep(counter, window)]
        over, *left = await self._redis.ask(lambda client: client.eval(_script(), len(keys), *keys, *values))
        return (over - 1 if over else None), left

    async def give_back(self, counters: Sequence[Counter], lease: str, tokens: int, now: float) -> None:
        """The request has ended."""
        await self._redis.ask(lambda client: self._end(client.pipeline(), counters, lease, tokens, now).execute())

    def _end(self, pipeline, counters: Sequence[Counter], lease: str, tokens: int, now: float):
        for counter in counters:
            window = Window.of(counter.every, now)
            key = _key(counter, window.number)
            if counter.kind == "concurrent":
                pipeline.zrem(key, lease)
            elif counter.kind == "tokens":
                pipeline.incrby(key, tokens)
                pipeline.pexpire(key, self._keep(counter, window))
        return pipeline

    def _keep(self, counter: Counter, window: Window) -> int:
        """Milliseconds that a count is kept: to the end of the window after its own."""
        seconds = self._longest if counter.kind == "concurrent" else window.left + (window.weight and 3600)
        return math.ceil(seconds * 1000)


def _key(counter: Counter, window: int) -> str:
    return f"{PREFIX}limit:{counter.name}" + ("" if counter.kind == "concurrent" else f":{window}")


@cache
def _script() -> str:
    return SCRIPT.read_text(encoding="utf-8")
