"""The limits of the settings, and whether a request is within them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from guard.errors import RateLimited
from guard.keys import hash_key
from guard.proxy.auth import Caller
from guard.proxy.limits.counter import Counter, Counts, Window
from guard.proxy.limits.lease import Lease
from guard.proxy.limits.local import LocalCounts
from guard.proxy.limits.shared import SharedCounts
from guard.proxy.limits.usage import Count
from guard.redis import RedisAway, SharedRedis
from guard.settings import Limit


class Limits:
    """Lets requests in, counted in Redis where there is one, and in this worker alone while that is away."""

    def __init__(
        self,
        limits: Sequence[Limit],
        redis: SharedRedis | None = None,
        *,
        longest: float = 600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = tuple(limits)
        self._local = LocalCounts()
        self._shared = SharedCounts(redis, longest) if redis else None
        self._clock = clock

    async def around(
        self, caller: Caller, labels: Mapping[str, str], answer: Callable[[Lease], Coroutine[Any, Any, Response]]
    ) -> Response:
        """What `answer` gives to a request that is let in, which is under way until that has gone out.

        Every route asks here. Raises RateLimited.
        """
        lease = await self.enter(caller, labels)
        return await lease.around(answer(lease))

    async def enter(self, caller: Caller, labels: Mapping[str, str]) -> Lease:
        """Let a request in. `labels` are those that it says. Raises RateLimited."""
        counters = tuple(self._counters(caller, {**labels, **caller.labels})) if self._limits else ()
        if not counters:
            return Lease()
        name, now = uuid4().hex, self._clock()
        counts, (over, left) = await self._take(counters, name, now)
        if over is not None:
            raise _limited(counters[over], headers_of(counters, left, now), now)
        after = [number - (counter.kind != "tokens") for counter, number in zip(counters, left, strict=True)]
        count = Count() if any(counter.kind == "tokens" for counter in counters) else None
        return Lease(headers_of(counters, after, now), count, partial(self._give_back, counts, counters, name))

    async def _take(
        self, counters: Sequence[Counter], lease: str, now: float
    ) -> tuple[Counts, tuple[int | None, list[int]]]:
        if self._shared:
            try:
                return self._shared, await self._shared.take(counters, lease, now)
            except RedisAway:
                pass  # counted here alone: a limit that holds for each worker is better than none, and than no answer
        return self._local, await self._local.take(counters, lease, now)

    async def _give_back(self, counts: Counts, counters: Sequence[Counter], lease: str, tokens: int) -> None:
        try:
            await counts.give_back(counters, lease, tokens, self._clock())
        except RedisAway:
            await self._local.give_back(counters, lease, tokens, self._clock())

    def _counters(self, caller: Caller, labels: Mapping[str, str]) -> Iterator[Counter]:
        """The counts that a request of this caller's is for. Of limits on the same count the first holds."""
        seen: set[str] = set()
        for limit in self._limits:
            if not any(fnmatchcase(caller.app, pattern) for pattern in limit.apps):
                continue
            # Who says no user is one user, together with all others who do not.
            who = {"app": "", "key": caller.key}.get(limit.per, labels.get(limit.per, ""))
            for kind, most in limit.kinds.items():
                name = f"{limit.per}:{kind}:{limit.every}:{hash_key(f'{caller.app}/{who}')[:24]}"
                if name not in seen:
                    seen.add(name)
                    yield Counter(name, kind, most, limit.every)


def headers_of(counters: Sequence[Counter], left: Sequence[int], now: float) -> dict[str, str]:
    """OpenAI's `x-ratelimit-…` headers: of several limits, of the one that has least left."""
    headers = {}
    for kind in ("requests", "tokens"):
        of_kind = [(number, counter) for counter, number in zip(counters, left, strict=True) if counter.kind == kind]
        if of_kind:
            number, counter = min(of_kind, key=lambda pair: pair[0])
            headers[f"x-ratelimit-limit-{kind}"] = str(counter.limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(max(0, number))
            headers[f"x-ratelimit-reset-{kind}"] = f"{math.ceil(Window.of(counter.every, now).left)}s"
    return headers


def _limited(counter: Counter, headers: Mapping[str, str], now: float) -> RateLimited:
    per = counter.name.partition(":")[0]
    if counter.kind == "concurrent":
        told, wait = f"{counter.limit} requests at once are under way for this {per}; wait for one to end", 1.0
    else:
        wait = Window.of(counter.every, now).left
        told = f"{counter.limit} {counter.kind} a {counter.every} are used up for this {per}; try again later"
    return RateLimited(told, retry_after=wait, headers=headers)
