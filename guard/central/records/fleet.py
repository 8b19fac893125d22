"""What proxies last told of themselves. A report is kept under the key that it came with, beside all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.tables import reports as table
from guard.policies.report import Report

_c = table.c

#: Instances that one key may have in an environment: a lying proxy must not fill the database. The oldest go first.
INSTANCES = 200
#: Seconds after which a report of an instance that is gone is removed.
GONE = 86_400.0


async def keep(
    connection: AsyncConnection, project: str, environment: str, key: str, report: Report, at: float
) -> None:
    """Keep a report in the place of the instance's last one."""
    mine = (_c.project == project) & (_c.environment == environment) & (_c.key == key)
    newest = sa.select(_c.instance).where(mine, _c.instance != report.instance).order_by(_c.at.desc())
    kept = newest.limit(INSTANCES - 1).scalar_subquery()
    surplus = mine & ((_c.instance == report.instance) | _c.instance.not_in(kept) | (_c.at < at - GONE))
    await connection.execute(sa.delete(table).where(surplus))
    row = {"project": project, "environment": environment, "key": key, "instance": report.instance, "at": at}
    await connection.execute(sa.insert(table).values(row | {"report": report.model_dump_json()}))


async def page(
    connection: AsyncConnection, project: str | None, *, after: Sequence[str] | None, limit: int
) -> Sequence[Any]:
    """The last reports of a project's proxies, or with None of all, by where they are."""
    place = (_c.project, _c.environment, _c.key, _c.instance)
    query = sa.select(table).order_by(*place).limit(limit)
    if project is not None:
        query = query.where(_c.project == project)
    if after is not None:
        query = query.where(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, after)))
    return (await connection.execute(query)).all()


async def of(connection: AsyncConnection, project: str, environment: str, limit: int) -> Sequence[Any]:
    """The newest reports from one environment."""
    query = sa.select(table).where(_c.project == project, _c.environment == environment)
    return (await connection.execute(query.order_by(_c.at.desc()).limit(limit))).all()
