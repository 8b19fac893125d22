"""API keys: kept as hashes, each with a role, for one project or all, for one app or none."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.principal import Principal, Role
from guard.central.records import projects
from guard.central.tables import keys as table
from guard.errors import Conflict, Invalid, NotFound
from guard.keys import fits, hash_key, identifier_of, make_key

_c = table.c
#: What an unknown key is compared with, so that it takes as long as a known one.
_NOBODY = hash_key("")


async def create(
    change: Change,
    name: str,
    role: Role,
    *,
    project: str | None,
    app: str | None = None,
    expires_at: float | None = None,
) -> tuple[str, str]:
    """A new key: its id, and the key itself, which is nowhere kept. Raises Invalid and NotFound."""
    if role == "app" and (project is None or app is None):
        raise Invalid("a key of role 'app' is for an app of a project: give 'app'", param="app")
    if role == "proxy" and project is None:
        raise Invalid("a key of role 'proxy' is for a project: make it there", param="role")
    if app is not None:
        if role != "app" or project is None:
            raise Invalid("only a key of role 'app' is for an app; leave 'app' out", param="app")
        await projects.app(change.connection, project, app)
    if expires_at is not None and expires_at <= change.at:
        raise Invalid("'expires_at' is past; give a time to come, in UTC epoch seconds", param="expires_at")
    identifier = secrets.token_hex(6)
    key = make_key(identifier)
    row = {"id": identifier, "name": name, "role": role, "project": project, "app": app, "hash": hash_key(key)}
    await change.connection.execute(sa.insert(table).values(row | {"expires_at": expires_at} | change.made))
    await change.note("create key", identifier, project=project, name=name, role=role, app=app)
    return identifier, key


async def revoke(change: Change, key: sa.Row[Any]) -> None:
    """Take a key back, from now on. Raises Conflict where it was."""
    _still(key, change.at)
    await change.connection.execute(sa.update(table).where(_c.id == key.id).values(revoked_at=change.at))
    await change.note("revoke key", key.id, project=key.project, name=key.name)


async def rotate(change: Change, key: sa.Row[Any], grace: float) -> tuple[str, str]:
    """A new key in the place of one that goes on for `grace` seconds. Raises Conflict where it was revoked."""
    _still(key, change.at)
    ends = change.at + grace if key.expires_at is None else min(key.expires_at, change.at + grace)
    gone = {"expires_at": ends} if grace else {"revoked_at": change.at}
    await change.connection.execute(sa.update(table).where(_c.id == key.id).values(gone))
    await change.note("rotate key", key.id, project=key.project, name=key.name, grace=grace)
    return await create(change, key.name, key.role, project=key.project, app=key.app, expires_at=key.expires_at)


async def find(connection: AsyncConnection, identifier: str, project: str | None) -> sa.Row[Any]:
    """A key of a project, or with None one of the organisation. Raises NotFound."""
    row = (
        await connection.execute(sa.select(table).where(_c.id == identifier, _c.project.is_not_distinct_from(project)))
    ).first()
    if row is None:
        raise NotFound(f"there is no key '{identifier[:40]}' here", param="key")
    return row


async def page(connection: AsyncConnection, project: str | None, *, after: str | None, limit: int) -> Sequence[Any]:
    """The keys of a project, or with None those of the organisation, by id."""
    query = sa.select(table).where(_c.project.is_not_distinct_from(project)).order_by(_c.id).limit(limit)
    if after is not None:
        query = query.where(_c.id > after)
    return (await connection.execute(query)).all()


async def principal(connection: AsyncConnection, key: str, now: float) -> Principal | None:
    """Whom a key stands for; None where it is unknown, revoked or expired."""
    row = await _row(connection, identifier_of(key)[:40])
    return _principal(row, now) if fits(key, row.hash if row else _NOBODY) else None


async def holder(connection: AsyncConnection, identifier: str, now: float) -> Principal | None:
    """Whom the key of an id stands for, for those who have proven otherwise that they hold it."""
    return _principal(await _row(connection, identifier), now)


async def of_apps(connection: AsyncConnection, project: str) -> Sequence[Any]:
    """The keys of a project's apps that were not revoked, by app and id."""
    query = sa.select(_c.app, _c.hash, _c.expires_at).where(
        _c.project == project, _c.role == "app", _c.revoked_at.is_(None)
    )
    return (await connection.execute(query.order_by(_c.app, _c.id))).all()


def alive(key: sa.Row[Any], now: float) -> bool:
    """Whether the key may be used now."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


async def _row(connection: AsyncConnection, identifier: str) -> sa.Row[Any] | None:
    return (await connection.execute(sa.select(table).where(_c.id == identifier))).first()


def _principal(row: sa.Row[Any] | None, now: float) -> Principal | None:
    if row is None or not alive(row, now):
        return None
    return Principal(row.id, row.name, row.role, row.project, row.app)


def _still(key: sa.Row[Any], now: float) -> None:
    if not alive(key, now):
        raise Conflict(f"key '{key.id}' is no longer in use; make a new one")
