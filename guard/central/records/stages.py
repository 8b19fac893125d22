"""Stages that are kept at the centre: their versions, which never change, and whether they are paused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.records.projects import is_id
from guard.central.tables import stage_versions as versions
from guard.central.tables import stages as table
from guard.errors import Conflict, NotFound

_c = table.c


async def create(
    change: Change,
    project: str,
    name: str,
    *,
    kind: str,
    description: str,
    document: dict[str, Any],
    paused: bool = False,
) -> str:
    """A new stage at version 1; its id. `kind` is `local` or `central`. Raises Conflict where the name is taken."""
    taken = sa.select(_c.id).where(_c.project == project, _c.name == name)
    if (await change.connection.execute(taken)).first():
        raise Conflict(f"there is a stage '{name}' already", param="name")
    identifier = str(uuid4())
    row = {"id": identifier, "project": project, "name": name, "type": kind, "description": description}
    more = {"paused": paused, "version": 1, "updated_at": change.at, **change.made}
    await change.connection.execute(sa.insert(table).values(row | more))
    revision = await _add(change, identifier, 1, document)
    await change.note("create stage", name, project=project, stage=identifier, version=1, revision=revision)
    return identifier


async def update(change: Change, stage: sa.Row[Any], document: dict[str, Any]) -> int:
    """The next version of a stage, which the document is in whole; its number."""
    version = stage.version + 1
    revision = await _add(change, stage.id, version, document)
    await _set(change, stage, version=version)
    await change.note(
        "update stage", stage.name, project=stage.project, stage=stage.id, version=version, revision=revision
    )
    return version


async def pause(change: Change, stage: sa.Row[Any], paused: bool) -> None:
    """Pause a stage, all versions of it, or resume it; nothing happens where it is so already."""
    if stage.paused == paused:
        return
    await _set(change, stage, paused=paused)
    await change.note("pause stage" if paused else "resume stage", stage.name, project=stage.project, stage=stage.id)


async def find(connection: AsyncConnection, project: str, name: str) -> sa.Row[Any]:
    """The stage of a name or id in a project. Raises NotFound."""
    column = _c.id if is_id(name) else _c.name
    row = (await connection.execute(sa.select(table).where(_c.project == project, column == name))).first()
    if row is None:
        raise NotFound("the project has no such stage", param="stage")
    return row


async def by_id(connection: AsyncConnection, identifier: str) -> sa.Row[Any]:
    """The stage of an id, whatever its project. Raises NotFound."""
    row = (await connection.execute(sa.select(table).where(_c.id == identifier))).first()
    if row is None:
        raise NotFound("there is no such stage, or this key is not for it", param="stage")
    return row


async def page(connection: AsyncConnection, project: str, *, after: str | None, limit: int) -> Sequence[Any]:
    """A project's stages by name, without their documents."""
    query = sa.select(table).where(_c.project == project).order_by(_c.name).limit(limit)
    if after is not None:
        query = query.where(_c.name > after)
    return (await connection.execute(query)).all()


async def version(connection: AsyncConnection, stage: str, number: int) -> sa.Row[Any]:
    """One version of a stage. Raises NotFound."""
    query = sa.select(versions).where(versions.c.stage == stage, versions.c.version == number)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound(f"the stage has no version {number}", param="version")
    return row


async def version_page(connection: AsyncConnection, stage: str, *, before: int | None, limit: int) -> Sequence[Any]:
    """A stage's versions, the newest first."""
    query = sa.select(versions).where(versions.c.stage == stage).order_by(versions.c.version.desc()).limit(limit)
    if before is not None:
        query = query.where(versions.c.version < before)
    return (await connection.execute(query)).all()


async def _add(change: Change, stage: str, number: int, document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True)
    revision = hashlib.sha256(text.encode()).hexdigest()[:12]
    row = {"stage": stage, "version": number, "document": text, "revision": revision, "why": change.why}
    await change.connection.execute(sa.insert(versions).values(row | change.made))
    return revision


async def _set(change: Change, stage: sa.Row[Any], **values: Any) -> None:
    await change.connection.execute(sa.update(table).where(_c.id == stage.id).values(updated_at=change.at, **values))
