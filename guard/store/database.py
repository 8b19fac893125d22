"""A database in SQLite or Postgres: connections, turns at writing, and what its driver raises told as a StoreError."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event as hooks
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from guard.errors import StoreError

#: Seconds that a writer waits for another process's write.
BUSY = 10


class Database:
    """Where tables are kept. Several processes may read and write them at once.

    `holds` is what errors call its content (`events`); `turn` is a number that writers of the same tables share, and
    others do not.
    """

    def __init__(
        self, engine: AsyncEngine, name: str, broken: tuple[type[Exception], ...], *, holds: str, turn: int
    ) -> None:
        """`name` is what errors call the place by; `broken` are the errors that its driver raises by itself."""
        self.dialect = engine.dialect.name
        self.name = name
        self._engine = engine
        self._holds = holds
        self._broken = (SQLAlchemyError, OSError, *broken)
        # Writers take turns, so that what they write becomes visible in one order, and tables are made once.
        self._turn = "BEGIN IMMEDIATE" if self.dialect == "sqlite" else f"SELECT pg_advisory_xact_lock({turn})"

    @classmethod
    async def sqlite(cls, file: Path, *, holds: str, turn: int) -> Database:
        """The database in a file, made where there is none. Raises StoreError."""
        engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": BUSY})
        hooks.listen(
            engine.sync_engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=NORMAL")
        )
        database = cls(engine, f"file {file}", (sqlite3.Error,), holds=holds, turn=turn)
        with database.telling():
            await asyncio.to_thread(_write_ahead, file)
        return database

    @classmethod
    async def postgres(cls, url: str, *, holds: str, turn: int) -> Database:
        """The database at a libpq URL. Raises StoreError."""
        try:
            import asyncpg
        except ImportError:
            raise StoreError(f"{holds} in Postgres need its driver: pip install 'stageguard[postgres]'") from None
        # The driver reads the URL itself, so that sslmode and its like mean what they mean to every Postgres client.
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda *_: asyncpg.connect(url, timeout=BUSY, command_timeout=3 * BUSY),
            pool_pre_ping=True,
        )
        broken = (asyncpg.PostgresError, asyncpg.InterfaceError)
        return cls(engine, f"database {_nameable(url)}", broken, holds=holds, turn=turn)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read on. Raises StoreError."""
        with self.telling():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection to write on, in turn: all of it is kept at the end, or nothing on an error. Raises StoreError.

        Nobody else writes meanwhile, so what was looked up before writing still holds.
        """
        with self.telling():
            async with self._engine.begin() as connection:
                await connection.exec_driver_sql(self._turn)
                yield connection

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What the driver raises becomes a StoreError that names the place and the fix."""
        try:
            yield
        except self._broken as error:
            cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0] or type(error).__name__
            mend = "is it a database of Guard's, may it be written, is there room on the disk?"
            if self.dialect == "postgresql":
                mend = "does the server run, and are the URL, the user and the password right?"
            raise StoreError(f"the {self._holds}' {self.name} does not work: {cause}; {mend}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()


def _write_ahead(file: Path) -> None:
    """Make the file where there is none, and let readers go on while one process writes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # For its owner alone, as are the files that SQLite makes beside it; one that is there stays as it is.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    until = time.monotonic() + BUSY
    with closing(sqlite3.connect(file, timeout=BUSY)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                # Of those that switch a new file at once SQLite lets all but one fail, without waiting as it does else.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(0.01)


def _nameable(url: str) -> str:
    """The URL without its password, for errors. Raises StoreError where it is none."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        raise StoreError("the store's URL cannot be read; write postgresql://USER:PASSWORD@HOST:PORT/NAME") from None
