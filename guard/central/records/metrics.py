"""Code metrics at the centre: versions of what was uploaded, which never change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.code.package import Package
from guard.central.tables import code_metrics as table
from guard.errors import NotFound

_c = table.c
#: The columns without what was uploaded.
_SHORT = [column for column in _c if column is not _c.package]


async def add(change: Change, project: str, name: str, package: Package) -> int:
    """The package as the metric's next version, or its first; the number."""
    newest = await version_page(change.connection, project, name, before=None, limit=1)
    number = newest[0].version + 1 if newest else 1
    row = {"project": project, "name": name, "version": number, "digest": package.digest, "why": change.why}
    more = {"package": package.model_dump_json(), **change.made}
    await change.connection.execute(sa.insert(table).values(row | more))
    await change.note("upload metric", name, project=project, version=number, digest=package.digest)
    return number


async def find(connection: AsyncConnection, project: str, name: str, number: int | None = None) -> sa.Row[Any]:
    """A version of a metric, by default the newest. Raises NotFound."""
    query = sa.select(table).where(_c.project == project, _c.name == name).order_by(_c.version.desc()).limit(1)
    if number is not None:
        query = query.where(_c.version == number)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound("the project has no such code metric, or no such version of it", param="metric")
    return row


async def page(connection: AsyncConnection, project: str, *, after: str | None, limit: int) -> Sequence[Any]:
    """A project's metrics by name, the newest version of each, without what was uploaded."""
    newest = sa.select(_c.name, sa.func.max(_c.version)).where(_c.project == project).group_by(_c.name)
    query = sa.select(*_SHORT).where(_c.project == project, sa.tuple_(_c.name, _c.version).in_(newest))
    if after is not None:
        query = query.where(_c.name > after)
    return (await connection.execute(query.order_by(_c.name).limit(limit))).all()


async def version_page(
    connection: AsyncConnection, project: str, name: str, *, before: int | None, limit: int
) -> Sequence[Any]:
    """A metric's versions, the newest first."""
    query = sa.select(table).where(_c.project == project, _c.name == name).order_by(_c.version.desc()).limit(limit)
    if before is not None:
        query = query.where(_c.version < before)
    return (await connection.execute(query)).all()
