"""Events in the memory of this process: for a try-out, and for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from guard.store.event import Event
from guard.store.filter import Filter, column
from guard.store.ids import first_id
from guard.store.store import EVERYTHING, Arrived


class MemoryStore:
    """Keeps the newest `limit` events, until the process ends."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._events: dict[str, tuple[int, Event]] = {}
        self._place = 0

    async def write(self, events: Sequence[Event]) -> None:
        """Add events; ids that are there already are left as they are."""
        for event in events:
            if event.id not in self._events:
                self._place += 1
                self._events[event.id] = self._place, event
        if len(self._events) > self._limit:
            await self.prune(keep=self._limit)

    async def get(self, identifier: str) -> Event | None:
        """The event with that id."""
        return self._events[identifier][1] if identifier in self._events else None

    async def of_request(self, request: str) -> list[Event]:
        """The events of one request, the oldest first."""
        return [event for event in self._oldest_first() if event.request == request]

    async def find(self, beginning: str, limit: int = 10) -> list[Event]:
        """Events whose id or request begins so, the oldest first."""
        found = (e for e in self._oldest_first() if e.id.startswith(beginning) or e.request.startswith(beginning))
        return list(islice(found, limit))

    async def newest(self, wanted: Filter = EVERYTHING, *, limit: int = 100, before: str | None = None) -> list[Event]:
        """The newest events, the newest first."""
        newest_first = reversed([*self._oldest_first()])
        found = (event for event in newest_first if (before is None or event.id < before) and _fits(event, wanted))
        return list(islice(found, limit))

    async def count(self, wanted: Filter = EVERYTHING) -> int:
        """How many events there are."""
        return sum(_fits(event, wanted) for _, event in self._events.values())

    async def tail(self, after: int, wanted: Filter = EVERYTHING, *, limit: int = 1000) -> Arrived:
        """Events that arrived after a place."""
        found = [(place, event) for place, event in self._events.values() if place > after and _fits(event, wanted)]
        last = found[limit - 1][0] if len(found) >= limit else self._place
        return Arrived([event for _, event in found[:limit]], last)

    async def place(self) -> int:
        """The place of the newest arrival; 0 before the first."""
        return self._place

    async def prune(self, *, before: float | None = None, keep: int | None = None) -> int:
        """Remove old events. Returns how many."""
        ordered = [*self._oldest_first()]
        surplus = ordered[: max(0, len(ordered) - keep)] if keep is not None else []
        old = [event for event in ordered if before is not None and event.id < first_id(before)]
        gone = {event.id for event in (*surplus, *old)}
        for identifier in gone:
            del self._events[identifier]
        return len(gone)

    async def close(self) -> None:
        """Nothing is held."""

    def _oldest_first(self) -> Iterator[Event]:
        return (self._events[identifier][1] for identifier in sorted(self._events))


def _fits(event: Event, wanted: Filter) -> bool:
    if wanted.since is not None and event.id < first_id(wanted.since):
        return False
    if wanted.until is not None and event.id >= first_id(wanted.until):
        return False
    return all(column(event, name) == value for name, value in wanted.equal().items())
