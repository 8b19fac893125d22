"""What nobody tells of as it happens is looked at a few times a second: the loop's lag, the way of the events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from time import perf_counter

from guard.store.writer import Stats
from guard.telemetry import families as given
from guard.telemetry.meters import Meters
from guard.telemetry.workers import Place

log = logging.getLogger(__name__)

#: Seconds between two looks, and looks between two writings to the other workers.
INTERVAL, WRITING = 0.25, 4


async def sample(meters: Meters, look: Callable[[Meters], None], place: Place | None = None) -> None:
    """Look, for ever. `look` puts what it sees into the meters; `place` is where other workers see them."""
    for number in count(1):
        started = perf_counter()
        await asyncio.sleep(INTERVAL)
        meters.tally.observe(given.LOOP_LAG_SECONDS, max(perf_counter() - started - INTERVAL, 0.0))
        look(meters)
        if place is not None and number % WRITING == 0:
            try:
                await asyncio.to_thread(place.write, meters.tally.series())
            except OSError as error:  # a full disk must not end the looking
                log.warning("the figures for other workers cannot be written: %s", type(error).__name__)


class Events:
    """What the buffer says of the events, taken over as it changes."""

    #: What an event comes to once; how many are spooled goes up and down.
    ONCE = ("accepted", "refused", "written", "failed", "lost", "recovered", "torn")

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._seen = dict.fromkeys(self.ONCE, 0)

    def look(self, meters: Meters) -> None:
        """Count what has come since the last look."""
        for outcome in self.ONCE:
            now = getattr(self._stats, outcome)
            meters.tally.add(given.EVENTS, outcome, amount=now - self._seen[outcome])
            self._seen[outcome] = now
        meters.tally.set(given.EVENTS_SPOOLED, self._stats.spooled)
