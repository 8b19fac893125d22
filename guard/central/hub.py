"""Who waits for the next release of an environment, and is told of it at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

Place: TypeAlias = tuple[str, str]

#: Seconds between looks at the database for what another process of central released.
LOOK = 0.5


class Hub:
    """Waiting for releases. `sequence` gives the number of the newest one, from the database.

    Those who wait for one environment share one look at the database; what this process releases wakes them at once.
    """

    def __init__(self, sequence: Callable[[Place], Awaitable[int]]) -> None:
        self._sequence = sequence
        self._waiting: defaultdict[Place, set[asyncio.Future[None]]] = defaultdict(set)
        self._looking: dict[Place, asyncio.Task[None]] = {}

    def tell(self, places: Iterable[Place]) -> None:
        """Wake those who wait for these."""
        for place in places:
            for future in self._waiting.get(place, ()):
                if not future.done():
                    future.set_result(None)

    async def wait(self, place: Place, known: int, seconds: float) -> None:
        """Return once there is a release after the one that is `known`, or after so many seconds."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[place].add(future)
        if place not in self._looking:
            self._looking[place] = asyncio.create_task(self._look(place))
        try:
            with suppress(TimeoutError):
                # What came between the caller's look and this waiting is not told any more.
                if await self._sequence(place) <= known:
                    async with asyncio.timeout(seconds):
                        await future
        finally:
            self._waiting[place].discard(future)
            if not self._waiting[place]:
                del self._waiting[place]

    async def close(self) -> None:
        """Let everybody go."""
        self.tell(list(self._waiting))
        for task in self._looking.values():
            task.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)

    async def _look(self, place: Place) -> None:
        """Look while anybody waits."""
        try:
            known = await self._sequence(place)
            while place in self._waiting:
                await asyncio.sleep(LOOK)
                now = await self._sequence(place)
                if now > known:
                    known = now
                    self.tell([place])
        finally:
            del self._looking[place]
