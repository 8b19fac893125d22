"""Policies at the centre: a draft that may change, and published versions that never do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.tables import policies as table
from guard.central.tables import policy_versions as versions
from guard.errors import NotFound
from guard.policies.bundle import digest_of

_c, _v = table.c, versions.c


async def save_draft(change: Change, project: str, name: str, text: str) -> None:
    """Keep the text as the policy's draft; the policy begins to be with its first."""
    values = {"draft": text, "updated_at": change.at, "updated_by": change.by.label}
    where = (_c.project == project) & (_c.name == name)
    done = await change.connection.execute(sa.update(table).where(where).values(values))
    if not done.rowcount:
        row = {"project": project, "name": name, "version": 0, **values, **change.made}
        await change.connection.execute(sa.insert(table).values(row))
    await change.note("save draft", name, project=project, digest=digest_of(text))


async def publish(change: Change, policy: sa.Row[Any], revision: str) -> int:
    """The draft as the next version, whose content's revision is known; its number."""
    version, digest = policy.version + 1, digest_of(policy.draft)
    row = {"project": policy.project, "policy": policy.name, "version": version, "revision": revision}
    more = {"digest": digest, "text": policy.draft, "why": change.why, **change.made}
    await change.connection.execute(sa.insert(versions).values(row | more))
    where = (_c.project == policy.project) & (_c.name == policy.name)
    await change.connection.execute(sa.update(table).where(where).values(version=version))
    await change.note("publish policy", policy.name, project=policy.project, version=version, revision=revision)
    return version


async def find(connection: AsyncConnection, project: str, name: str) -> sa.Row[Any]:
    """A policy with its draft. Raises NotFound."""
    row = (await connection.execute(sa.select(table).where(_c.project == project, _c.name == name))).first()
    if row is None:
        raise NotFound(f"the project has no policy '{name}'", param="policy")
    return row


async def page(connection: AsyncConnection, project: str, *, after: str | None, limit: int) -> Sequence[Any]:
    """A project's policies by name, without their texts."""
    columns = [column for column in _c if column is not _c.draft]
    query = sa.select(*columns).where(_c.project == project).order_by(_c.name).limit(limit)
    if after is not None:
        query = query.where(_c.name > after)
    return (await connection.execute(query)).all()


async def version(connection: AsyncConnection, project: str, name: str, number: int) -> sa.Row[Any]:
    """A published version. Raises NotFound."""
    query = sa.select(versions).where(_v.project == project, _v.policy == name, _v.version == number)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound(f"there is no version {number} of policy '{name}'; publish it first", param="version")
    return row


async def version_page(
    connection: AsyncConnection, project: str, name: str, *, before: int | None, limit: int
) -> Sequence[Any]:
    """A policy's versions, the newest first, without their texts."""
    columns = [column for column in _v if column is not _v.text]
    query = sa.select(*columns).where(_v.project == project, _v.policy == name)
    if before is not None:
        query = query.where(_v.version < before)
    return (await connection.execute(query.order_by(_v.version.desc()).limit(limit))).all()
