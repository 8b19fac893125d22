"""The audit log: who changed what, when and why. It can only grow, and each line holds the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.tables import audit as table

_c = table.c
#: Lines that are read at once when the whole log is gone through.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line to add. `project` is an id, None where it concerns the organisation; `detail` is plain JSON."""

    at: float
    key: str
    who: str
    action: str
    project: str | None
    subject: str
    detail: dict[str, Any]
    why: str


async def add(connection: AsyncConnection, line: Line) -> None:
    """Add a line behind the last one."""
    newest = sa.select(_c.place, _c.hash).order_by(_c.place.desc()).limit(1)
    last = (await connection.execute(newest)).first()
    place, before = (last.place + 1, last.hash) if last else (1, "")
    detail = json.dumps(line.detail, sort_keys=True)
    cells = {name: getattr(line, name) for name in Line.__slots__} | {"detail": detail}
    await connection.execute(
        sa.insert(table).values(place=place, before=before, hash=_hash(place, before, line, detail), **cells)
    )


async def page(connection: AsyncConnection, *, projects: str | None, before: int | None, limit: int) -> Sequence[Any]:
    """The newest lines, the newest first; `projects` is the only project to show."""
    query = sa.select(table).order_by(_c.place.desc()).limit(limit)
    if projects is not None:
        query = query.where(_c.project == projects)
    if before is not None:
        query = query.where(_c.place < before)
    return (await connection.execute(query)).all()


async def broken_at(connection: AsyncConnection) -> int | None:
    """The place of the first line that does not follow from the one before; None where the log is whole."""
    place, before = 0, ""
    while True:
        query = sa.select(table).where(_c.place > place).order_by(_c.place).limit(_AT_ONCE)
        rows = (await connection.execute(query)).all()
        if not rows:
            return None
        for row in rows:
            line = Line(row.at, row.key, row.who, row.action, row.project, row.subject, {}, row.why)
            if (row.place, row.before, row.hash) != (place + 1, before, _hash(place + 1, before, line, row.detail)):
                return place + 1
            place, before = row.place, row.hash


def _hash(place: int, before: str, line: Line, detail: str) -> str:
    at, *names = astuple(line)
    said = json.dumps([place, before, repr(at), *names[:-2], detail, line.why], ensure_ascii=True)
    return hashlib.sha256(said.encode()).hexdigest()
