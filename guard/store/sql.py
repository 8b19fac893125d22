"""Events in SQLite or Postgres: the same tables and statements for both, through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from guard.errors import StoreError
from guard.store.database import Database
from guard.store.event import Event
from guard.store.filter import Filter
from guard.store.ids import first_id
from guard.store.store import EVERYTHING, Arrived
from guard.store.tables import SCHEMA, TABLES, row, schema, where
from guard.store.tables import events as table

#: Rows that one transaction of a pruning removes, so that writers need not wait long.
PRUNED_AT_ONCE = 5_000
#: What the writers of these tables share: see Database.
_TURN = 7_162_318

_c = table.c


class SqlStore:
    """A store in a database. Several processes may write and read it at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = sqlite if database.dialect == "sqlite" else postgresql
        self._add = dialect.insert(table).on_conflict_do_nothing(index_elements=["id"])

    @classmethod
    async def sqlite(cls, file: Path) -> SqlStore:
        """The store in a file, made where there is none. Raises StoreError."""
        return await cls(await Database.sqlite(file, holds="events", turn=_TURN))._made()

    @classmethod
    async def postgres(cls, url: str) -> SqlStore:
        """The store in the database at a libpq URL, its tables made where there are none. Raises StoreError."""
        return await cls(await Database.postgres(url, holds="events", turn=_TURN))._made()

    async def write(self, events: Sequence[Event]) -> None:
        """Add events, all or none; ids that are there already are left as they are."""
        if not events:
            return
        rows = [row(event) for event in events]
        async with self._database.writing() as connection:
            await connection.execute(self._add, rows)

    async def get(self, identifier: str) -> Event | None:
        """The event with that id."""
        found = await self._events(sa.select(_c.document).where(_c.id == identifier))
        return found[0] if found else None

    async def of_request(self, request: str) -> list[Event]:
        """The events of one request, the oldest first."""
        return await self._events(sa.select(_c.document).where(_c.request == request).order_by(_c.id))

    async def find(self, beginning: str, limit: int = 10) -> list[Event]:
        """Events whose id or request begins so, the oldest first."""
        begins = [(name >= beginning) & (name < beginning + "\U0010ffff") for name in (_c.id, _c.request)]
        return await self._events(sa.select(_c.document).where(begins[0] | begins[1]).order_by(_c.id).limit(limit))

    async def newest(self, wanted: Filter = EVERYTHING, *, limit: int = 100, before: str | None = None) -> list[Event]:
        """The newest events, the newest first."""
        query = sa.select(_c.document).where(where(wanted)).order_by(_c.id.desc()).limit(limit)
        return await self._events(query if before is None else query.where(_c.id < before))

    async def count(self, wanted: Filter = EVERYTHING) -> int:
        """How many events there are."""
        return await self._scalar(sa.select(sa.func.count()).select_from(table).where(where(wanted)))

    async def tail(self, after: int, wanted: Filter = EVERYTHING, *, limit: int = 1000) -> Arrived:
        """Events that arrived after a place."""
        end = await self.place()
        query = sa.select(_c.place, _c.document).where(_c.place > after, _c.place <= end, where(wanted))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.order_by(_c.place).limit(limit))).all()
        last = rows[-1].place if len(rows) == limit else max(after, end)
        return Arrived([Event.from_json(row.document) for row in rows], last)

    async def place(self) -> int:
        """The place of the newest arrival; 0 before the first."""
        return await self._scalar(sa.select(sa.func.coalesce(sa.func.max(_c.place), 0)))

    async def prune(self, *, before: float | None = None, keep: int | None = None) -> int:
        """Remove old events, some thousands at a time. Returns how many."""
        removed = 0
        if before is not None:
            removed += await self._remove(_c.id < first_id(before))
        if keep is not None:
            newest_surplus = sa.select(_c.id).order_by(_c.id.desc()).offset(keep).limit(1)
            last = await self._scalar(newest_surplus)
            removed += 0 if last is None else await self._remove(_c.id <= last)
        return removed

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def _remove(self, which: sa.ColumnElement[bool]) -> int:
        some = sa.select(_c.place).where(which).limit(PRUNED_AT_ONCE).scalar_subquery()
        removed = 0
        while True:
            async with self._database.writing() as connection:
                gone = (await connection.execute(sa.delete(table).where(_c.place.in_(some)))).rowcount
            removed += gone
            if gone < PRUNED_AT_ONCE:
                return removed

    async def _made(self) -> SqlStore:
        """This store with its tables in place, whoever makes them first."""
        try:
            async with self._database.writing() as connection:
                await connection.run_sync(TABLES.create_all)
                version = (await connection.execute(sa.select(schema.c.version))).scalar()
                if version is None:
                    await connection.execute(sa.insert(schema).values(one=1, version=SCHEMA))
            if version is not None and version > SCHEMA:
                raise StoreError(
                    f"the events' {self._database.name} was written by a newer Guard "
                    f"(schema {version}, this one reads {SCHEMA}); upgrade stageguard, or name another store"
                )
        except StoreError:
            await self.close()
            raise
        return self

    async def _events(self, query: sa.Select[Any]) -> list[Event]:
        async with self._database.reading() as connection:
            return [Event.from_json(document) for document in (await connection.execute(query)).scalars()]

    async def _scalar(self, query: sa.Select[Any]) -> Any:
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalar()
