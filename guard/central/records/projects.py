"""Projects, and the apps in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.tables import apps, projects
from guard.errors import Conflict, NotFound


async def create(change: Change, name: str, description: str = "") -> str:
    """A new project's id. Raises Conflict where there is one of that name."""
    found = sa.select(projects.c.id).where(projects.c.name == name)
    if (await change.connection.execute(found)).first():
        raise Conflict(f"there is a project '{name}' already", param="name")
    identifier = str(uuid4())
    row = {"id": identifier, "name": name, "description": description, **change.made}
    await change.connection.execute(sa.insert(projects).values(row))
    await change.note("create project", name, project=identifier)
    return identifier


async def find(connection: AsyncConnection, name: str) -> sa.Row[Any]:
    """The project of a name or id. Raises NotFound."""
    column = projects.c.id if is_id(name) else projects.c.name
    row = (await connection.execute(sa.select(projects).where(column == name))).first()
    if row is None:
        raise NotFound("there is no such project, or this key is not for it", param="project")
    return row


async def page(connection: AsyncConnection, *, only: str | None, after: str | None, limit: int) -> Sequence[Any]:
    """Projects by name; `only` is the id of the only one to show."""
    query = sa.select(projects).order_by(projects.c.name).limit(limit)
    if only is not None:
        query = query.where(projects.c.id == only)
    if after is not None:
        query = query.where(projects.c.name > after)
    return (await connection.execute(query)).all()


async def add_app(change: Change, project: str, name: str, description: str = "") -> None:
    """A new app of a project. Raises Conflict where there is one of that name."""
    if await has_app(change.connection, project, name):
        raise Conflict(f"there is an app '{name}' already", param="name")
    row = {"project": project, "name": name, "description": description, **change.made}
    await change.connection.execute(sa.insert(apps).values(row))
    await change.note("create app", name, project=project)


async def has_app(connection: AsyncConnection, project: str, name: str) -> bool:
    """Whether the project has that app."""
    query = sa.select(apps.c.name).where(apps.c.project == project, apps.c.name == name)
    return (await connection.execute(query)).first() is not None


async def app(connection: AsyncConnection, project: str, name: str) -> sa.Row[Any]:
    """An app. Raises NotFound."""
    query = sa.select(apps).where(apps.c.project == project, apps.c.name == name)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound(f"the project has no app '{name}'", param="app")
    return row


async def app_page(connection: AsyncConnection, project: str, *, after: str | None, limit: int) -> Sequence[Any]:
    """A project's apps by name."""
    query = sa.select(apps).where(apps.c.project == project).order_by(apps.c.name).limit(limit)
    if after is not None:
        query = query.where(apps.c.name > after)
    return (await connection.execute(query)).all()


def is_id(name: str) -> bool:
    """Whether this is an id, as central writes it, rather than a name."""
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
