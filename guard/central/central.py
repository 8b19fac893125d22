"""What central's routes share: the records, the signer, who waits, the engine."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from guard.central.change import Change, changing
from guard.central.code.running import CodeMetrics
from guard.central.engine import Engine
from guard.central.hub import Hub, Place
from guard.central.limits import Limiter
from guard.central.migrations import migrate
from guard.central.principal import Principal
from guard.central.records import releases
from guard.central.settings import CentralSettings
from guard.errors import StoreError
from guard.policies.bundle import Envelope
from guard.policies.signature import Signer
from guard.store.database import Database
from guard.store.store import Store, sqlite_file

#: What the writers of central's tables share: see Database.
_TURN = 7_162_319


class Central:
    """One process's parts. Routes find it as `app.state.central`."""

    def __init__(
        self,
        settings: CentralSettings,
        database: Database,
        signer: Signer,
        engine: Engine,
        events: Store | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.signer = signer
        self.engine = engine
        self.code = CodeMetrics(settings)
        #: Where events of checks that central makes are read.
        self.events = events
        self.hub = Hub(self._sequence)
        self.limiter = Limiter(settings.rate, settings.burst)
        #: The newest bundle of environments that were asked for, with its number.
        self.sealed: OrderedDict[Place, tuple[int, Envelope]] = OrderedDict()

    @asynccontextmanager
    async def change(self, by: Principal, why: str = "") -> AsyncIterator[Change]:
        """A change of the records; those who wait for what it releases are told once it is kept. Raises StoreError."""
        async with changing(self.database, by, why) as change:
            yield change
        self.hub.tell(change.released)

    async def _sequence(self, place: Place) -> int:
        async with self.database.reading() as connection:
            row = await releases.newest(connection, *place)
        return row.sequence if row else 0


async def open_database(url: str, *, create: bool = False) -> Database:
    """Central's database, its tables brought up to date. Without `create` it has to be there. Raises StoreError."""
    file = sqlite_file(url)
    if file is None:
        database = await Database.postgres(url, holds="records", turn=_TURN)
    elif create or await asyncio.to_thread(file.exists):
        database = await Database.sqlite(file, holds="records", turn=_TURN)
    else:
        raise StoreError(f"there is no database {file}; make it with: guard central init")
    try:
        async with database.writing() as connection:
            await migrate(connection, database.name)
    except BaseException:
        await database.close()
        raise
    return database
