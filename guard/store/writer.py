"""What works behind the buffer: events are made and spooled; what is spooled is delivered to the store, in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol, TypeVar

from guard.errors import StoreError
from guard.store.event import Event
from guard.store.mask import Masker
from guard.store.spool import Batch, Spool
from guard.store.store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds until a store that failed is tried again; each failure doubles it.
FIRST_RETRY, LAST_RETRY = 0.5, 30.0
#: A spool file of this many bytes is followed by a new one: under a load that never pauses, none would be empty.
ROTATE_BYTES = 16_000_000
#: Batches that are kept in memory until they are delivered; what is beyond is read back from the spool.
FRESH = 8


class Make(Protocol):
    """What is handed to the buffer: makes an event, later, in the writer's thread."""

    def __call__(self, *, masker: Masker) -> Event:
        """The event, its text as the masker keeps it."""
        ...


@dataclass(slots=True)
class Stats:
    """Where events went, counted since the start.

    `accepted` entered the buffer. Of these, `written` are in the store, `spooled` are on disk on their way there,
    `failed` could not be made into events, `lost` did not fit into the spool, and the rest waits in memory. `refused`
    did not enter, as the buffer was full or closed. `recovered` came from spools of dead processes and are in the
    store; `torn` lines of spools held no whole event: the end of a process cut them short, or the file was damaged.
    """

    accepted: int = 0
    refused: int = 0
    written: int = 0
    spooled: int = 0
    failed: int = 0
    lost: int = 0
    recovered: int = 0
    torn: int = 0

    @property
    def dropped(self) -> int:
        """Events that will never be read: the buffer or the spool was full."""
        return self.refused + self.lost


class Writer:
    """Spools events and delivers them, each by one task at a time.

    `save` and `deliver` do not wait for each other, so that a slow store keeps nothing from the disk. Files are handled
    and events are made in a thread of its own.
    """

    def __init__(
        self, store: Store, folder: Path, stats: Stats, *, masker: Masker, batch: int, spool_bytes: int
    ) -> None:
        """Opens a spool in `folder` and takes up those that dead processes left. Raises StoreError."""
        self._store = store
        self._folder = folder
        self._stats = stats
        self._masker = masker
        self._batch = batch
        self._spool_bytes = spool_bytes
        own = Spool.open(folder)
        #: What is to be delivered, in order; the last one is written to.
        self._spools = deque((*Spool.left_in(folder), own))
        self._fresh: deque[tuple[Spool, Batch]] = deque()
        self._retry_at = 0.0
        self._pause = FIRST_RETRY
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="guard-events")

    @property
    def due(self) -> bool:
        """Whether something waits to be delivered, and it is time to try."""
        return self._spools[0].waiting > 0 and monotonic() >= self._retry_at

    async def save(self, take: Callable[[], Sequence[Make]]) -> None:
        """Make the events that `take` gives, and spool them.

        Taken in the thread: where the interpreter ends and gives none (RuntimeError), they stay where they are.
        """
        await self._in_thread(lambda: self._save(take()))

    async def deliver(self) -> None:
        """Bring the oldest batch of the spools to the store. Where that fails, nothing is due for a while."""
        spool = self._spools[0]
        try:
            batch = self._remembered(spool) or await self._in_thread(spool.read, self._batch)
            await self._store.write(batch.events)
            await self._in_thread(self._taken, spool, batch)
        except Exception as error:  # noqa: BLE001 - whatever a store or a disk raises, the writer must go on
            if self._pause == FIRST_RETRY:
                log.warning("events wait in %s: %s", self._folder, error)
            self._retry_at = monotonic() + self._pause
            self._pause = min(self._pause * 2, LAST_RETRY)
        else:
            self._pause = FIRST_RETRY

    def close(self, take: Callable[[], Sequence[Make]]) -> None:
        """Spool all that `take` still gives and let go of the files; the next start takes up what waits in them."""
        self._thread.shutdown()
        while makes := take():
            self._save(makes)
        for spool in self._spools:
            spool.close()

    def _save(self, makes: Sequence[Make]) -> None:
        events, lines = self._made(makes)
        waiting = sum(spool.waiting for spool in self._spools)
        try:
            if waiting + sum(map(len, lines)) > self._spool_bytes:
                raise OSError(0, f"{waiting} bytes of events wait there already")
            if self._spools[-1].size > ROTATE_BYTES:
                self._spools.append(Spool.open(self._folder))
            batch = self._spools[-1].append(events, lines)
        except (OSError, StoreError) as error:
            self._stats.lost += len(events)
            log.error("%d events are lost: %s takes no more: %s", len(events), self._folder, error)
            return
        self._stats.spooled += len(events)
        if len(self._fresh) < FRESH:
            self._fresh.append((self._spools[-1], batch))

    def _made(self, makes: Sequence[Make]) -> tuple[list[Event], list[bytes]]:
        events: list[Event] = []
        lines: list[bytes] = []
        for make in makes:
            try:
                event = make(masker=self._masker)
                lines.append(event.to_json())
            except Exception as error:  # noqa: BLE001 - one event that cannot be made must not take others with it
                self._stats.failed += 1
                # Only the type: the turn's text may stand in the message.
                log.error("an event could not be made: %s", type(error).__name__)
            else:
                events.append(event)
        return events, lines

    def _remembered(self, spool: Spool) -> Batch | None:
        """The next batch of a spool, where it is still in memory."""
        if self._fresh and self._fresh[0][0] is spool and self._fresh[0][1].start == spool.read_to:
            return self._fresh[0][1]
        return None

    def _taken(self, spool: Spool, batch: Batch) -> None:
        while self._fresh and self._fresh[0][0] is spool and self._fresh[0][1].start < batch.end:
            self._fresh.popleft()
        spool.taken(batch)
        self._stats.torn += batch.torn
        if spool.left_over:
            self._stats.recovered += len(batch.events)
        else:
            self._stats.written += len(batch.events)
            self._stats.spooled -= len(batch.events) + batch.torn
        if not spool.waiting and len(self._spools) > 1:
            self._spools.popleft().close()

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
