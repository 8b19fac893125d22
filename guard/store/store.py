"""What every store of events can do, and how one is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from guard.errors import StoreError
from guard.store.event import Event
from guard.store.filter import Filter

EVERYTHING = Filter()


class Arrived(NamedTuple):
    """Events in the order in which they reached the store, and the place to go on from."""

    events: list[Event]
    place: int


class Store(Protocol):
    """Where events are kept. Every method raises StoreError, which says what to mend, where the store does not work."""

    async def write(self, events: Sequence[Event]) -> None:
        """Add events, all or none. One whose id is there already is left as it is, so writing again is harmless."""
        ...

    async def get(self, identifier: str) -> Event | None:
        """The event with that id."""
        ...

    async def of_request(self, request: str) -> list[Event]:
        """The events of one request, the oldest first."""
        ...

    async def find(self, beginning: str, limit: int = 10) -> list[Event]:
        """Events whose id or request begins so, the oldest first."""
        ...

    async def newest(self, wanted: Filter = EVERYTHING, *, limit: int = 100, before: str | None = None) -> list[Event]:
        """The newest events, the newest first. `before`, the last id of one page, gives the next page."""
        ...

    async def count(self, wanted: Filter = EVERYTHING) -> int:
        """How many events there are."""
        ...

    async def tail(self, after: int, wanted: Filter = EVERYTHING, *, limit: int = 1000) -> Arrived:
        """Events that arrived after a place. Late ones, from a spool, arrive late: none is missed, none comes twice."""
        ...

    async def place(self) -> int:
        """The place of the newest arrival; 0 before the first."""
        ...

    async def prune(self, *, before: float | None = None, keep: int | None = None) -> int:
        """Remove events older than `before` (UTC epoch seconds), or all but the newest `keep`. Returns how many."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


async def open_store(url: str, *, create: bool = True) -> Store:
    """The store at a URL: `sqlite:///guard.db` or a plain path, `postgresql://user:password@host/name`, or `memory`.

    Without `create` a file that is not there yet is an error. Raises StoreError. A store belongs to the loop that it
    was opened on.
    """
    if url == "memory":
        from guard.store.memory import MemoryStore

        return MemoryStore()
    # SQLAlchemy takes a fifth of a second to import: only where events are kept in a database.
    from guard.store.sql import SqlStore

    file = sqlite_file(url)
    if file is None:
        return await SqlStore.postgres(url)
    if not create and not file.exists():
        raise StoreError(f"there are no events at {file}: run Guard with this store first, or name another one")
    return await SqlStore.sqlite(file)


def sqlite_file(url: str) -> Path | None:
    """The database file that a store's URL names, or None where it names a server. Raises StoreError for other URLs."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url)
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return Path(rest[1:])
    if scheme in ("postgresql", "postgres"):
        return None
    raise StoreError(
        f"no store at '{scheme}://…'; "
        "write sqlite:///FILE, a file's path, postgresql://USER:PASSWORD@HOST/NAME, or memory"
    )


def spool_folder(url: str) -> Path:
    """Where events on their way to this store wait: beside its file, else under the working directory, one a store."""
    file = None if url == "memory" else sqlite_file(url)
    if file is not None:
        return file.with_name(file.name + ".spool")
    # What waits for one store must not be taken up for another.
    return Path("guard.spool") / hashlib.sha256(url.encode()).hexdigest()[:12]
