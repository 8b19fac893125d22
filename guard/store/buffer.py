"""Takes events without waiting, and sees to it that they reach the store, off the hot path."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

from guard.store.mask import Masker
from guard.store.retention import retain
from guard.store.store import Store
from guard.store.writer import Make, Stats, Writer

#: Characters of turns that may wait in memory, and that one batch may hold, as far as callers say how many theirs have.
CAPACITY_CHARACTERS = 64_000_000
BATCH_CHARACTERS = 4_000_000
#: Seconds that closing waits for the store. What it has not taken by then waits in the spool.
CLOSING = 5.0


class Buffer:
    """A bounded buffer of events on their way to `store`. Start and close it on one event loop; add from any thread.

    Every `interval` seconds, or as soon as `batch` events wait, they are made and appended to a file in `folder`, and
    from there they go to the store. While it is down they stay in the file, up to `spool_bytes`; it is tried again
    after half a second, then ever later, up to 30 s. At most `capacity` events wait in memory. Nothing is lost
    silently: `stats` counts what is. Events older than `keep_days` are removed from the store; 0 keeps them all.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        masker: Masker = Masker(),  # noqa: B008 - frozen
        interval: float = 0.25,
        batch: int = 500,
        capacity: int = 10_000,
        spool_bytes: int = 256_000_000,
        keep_days: float = 0.0,
    ) -> None:
        self.stats = Stats()
        self._store = store
        self._interval = interval
        self._batch = batch
        self._capacity = capacity
        self._keep_days = keep_days
        self._open = lambda: Writer(store, folder, self.stats, masker=masker, batch=batch, spool_bytes=spool_bytes)
        self._waiting: deque[tuple[Make, int]] = deque()
        self._characters = 0
        self._lock = threading.Lock()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, make: Make, characters: int = 0) -> bool:
        """Take what makes an event, such as `partial(Event.of, decision, turn, …)`; the writer's thread calls it.

        Never waits. `characters` is how much text it holds on to. False, and counted, where the buffer is full or
        closed.
        """
        with self._lock:
            full = len(self._waiting) >= self._capacity or self._characters + characters > CAPACITY_CHARACTERS
            if full or self._closed:
                self.stats.refused += 1
                return False
            self._waiting.append((make, characters))
            self._characters += characters
            self.stats.accepted += 1
            hurry = len(self._waiting) == self._batch
        if hurry and self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended; what waits is spooled when the process does
                self._loop.call_soon_threadsafe(self._hurry.set)
        return True

    async def start(self) -> Self:
        """Take up what dead processes left in the folder, and begin. Raises StoreError where it cannot be used."""
        self._loop = asyncio.get_running_loop()
        self._hurry, self._saved = asyncio.Event(), asyncio.Event()
        self._saving, self._delivering = asyncio.Lock(), asyncio.Lock()
        self._writer = await asyncio.to_thread(self._open)
        work = [self._save_always(), self._deliver_always()]
        if self._keep_days:
            work.append(retain(self._store, self._keep_days))
        self._tasks = [asyncio.create_task(one) for one in work]
        # An interpreter that ends without close() must not take with it what still waits in memory.
        atexit.register(self._end)
        return self

    async def flush(self) -> None:
        """Return when all that was added before is on disk, and in the store too unless the store does not take it."""
        async with self._saving:
            await self._save_waiting()
        async with self._delivering:
            while self._writer.due:
                await self._writer.deliver()

    async def close(self) -> None:
        """Flush and stop. The store stays open: who opened it closes it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.flush(), CLOSING)
        atexit.unregister(self._end)
        self._end()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _save_always(self) -> None:
        while True:
            await _set_or_late(self._hurry, self._interval)
            try:
                async with self._saving:
                    await self._save_waiting()
            except RuntimeError:  # no more threads: the interpreter ends, and _end spools what waits
                return
            self._saved.set()

    async def _deliver_always(self) -> None:
        while True:
            if not self._writer.due:
                await _set_or_late(self._saved, self._interval)
            async with self._delivering:
                if self._writer.due:
                    await self._writer.deliver()

    async def _save_waiting(self) -> None:
        while self._waiting:
            await self._writer.save(self._take)

    def _take(self) -> list[Make]:
        """The next batch of what waits in memory; empty where nothing does."""
        batch: list[Make] = []
        held = 0
        with self._lock:
            while self._waiting and len(batch) < self._batch and held < BATCH_CHARACTERS:
                make, characters = self._waiting.popleft()
                held += characters
                batch.append(make)
            self._characters -= held
        return batch

    def _end(self) -> None:
        with self._lock:
            self._closed = True
        self._writer.close(self._take)


async def _set_or_late(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()
