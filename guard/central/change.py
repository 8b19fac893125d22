"""A change of central's records: one transaction, by somebody, for a reason, with its lines in the audit log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.principal import Principal
from guard.central.records import audit
from guard.store.database import Database


@dataclass(slots=True)
class Change:
    """What is being written, all of it or nothing. `released` gathers (project id, environment) with a new release."""

    connection: AsyncConnection
    by: Principal
    why: str
    at: float = field(default_factory=time.time)
    released: set[tuple[str, str]] = field(default_factory=set)

    @property
    def made(self) -> dict[str, Any]:
        """The columns that say who made a row, and when."""
        return {"created_at": self.at, "created_by": self.by.label}

    async def note(self, action: str, subject: str, *, project: str | None = None, **detail: Any) -> None:
        """Add a line to the audit log."""
        line = audit.Line(self.at, self.by.key, self.by.name, action, project, subject, detail, self.why)
        await audit.add(self.connection, line)


@asynccontextmanager
async def changing(database: Database, by: Principal, why: str = "") -> AsyncIterator[Change]:
    """A change that is kept at the end, or undone on an error. Raises StoreError."""
    async with database.writing() as connection:
        yield Change(connection, by, why)
