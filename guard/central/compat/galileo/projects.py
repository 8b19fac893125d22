"""Projects, as Galileo's clients make and find them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel

from guard.central.api.common import Centre, Named
from guard.central.central import Central
from guard.central.compat.galileo.route import GalileoCaller, GalileoRoute, identity
from guard.central.compat.galileo.wire import SentProject
from guard.central.principal import Permission, Principal
from guard.central.records import projects
from guard.errors import NotFound

router = APIRouter(route_class=GalileoRoute)

#: Projects that one answer lists: the clients know no pages here.
MOST = 1_000


class UserInfo(BaseModel):
    """Who made something."""

    id: str
    email: str


class GalileoProject(BaseModel):
    """A project, with all that the clients insist on."""

    id: str
    name: str
    description: str | None
    type: str = "gen_ai"
    created_by: str
    created_by_user: UserInfo
    created_at: datetime
    updated_at: datetime
    bookmark: bool = False
    permissions: list[Any] = []
    runs: list[Any] = []

    @classmethod
    def of(cls, row: sa.Row[Any]) -> GalileoProject:
        """Of a row of the records."""
        user, made = identity(row.created_by), datetime.fromtimestamp(row.created_at, UTC)
        return cls(
            id=row.id,
            name=row.name,
            description=row.description or None,
            created_by=user,
            created_by_user=UserInfo(id=user, email=row.created_by),
            created_at=made,
            updated_at=made,
        )


async def project_of(central: Central, by: Principal, name: str, permission: Permission) -> sa.Row[Any]:
    """The project of a name or id, where the caller may do this in it. Raises NotFound and Forbidden."""
    async with central.database.reading() as connection:
        found = await projects.find(connection, name)
    by.need_in(found.id, permission)
    return found


@router.get("/projects")
async def find_projects(
    central: Centre, by: GalileoCaller, project_name: Annotated[str | None, Query(max_length=200)] = None
) -> list[GalileoProject]:
    """The project of that name alone, or all that the key may see. Of whichever type is asked for: there is one."""
    if project_name is None:
        return await list_projects(central, by)
    try:
        found = await project_of(central, by, project_name, "read")
    except NotFound:
        return []
    return [GalileoProject.of(found)] if found.name == project_name else []


@router.get("/projects/all")
async def list_projects(central: Centre, by: GalileoCaller) -> list[GalileoProject]:
    """The projects that the key may see, by name; a thousand at most."""
    by.need("read")
    async with central.database.reading() as connection:
        rows = await projects.page(connection, only=by.project, after=None, limit=MOST)
    return [GalileoProject.of(row) for row in rows]


@router.post("/projects")
async def make_project(body: SentProject, central: Centre, by: GalileoCaller) -> GalileoProject:
    """Make a project. For an admin of the organisation."""
    by.need_all("admin")
    async with central.change(by) as change:
        identifier = await projects.create(change, body.name)
        return GalileoProject.of(await projects.find(change.connection, identifier))


@router.get("/projects/{project}")
async def show_project(project: Named, central: Centre, by: GalileoCaller) -> GalileoProject:
    """A project by its id."""
    return GalileoProject.of(await project_of(central, by, project, "read"))
