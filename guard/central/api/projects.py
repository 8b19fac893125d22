"""Projects, and the apps in them."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from guard.central.api.common import PAGE as _PAGE
from guard.central.api.common import (
    Caller,
    Centre,
    Cursor,
    Limit,
    Name,
    Named,
    Page,
    Readable,
    Row,
    Ruled,
    Why,
    page_of,
)
from guard.central.records import projects, releases

router = APIRouter(tags=["projects"])


class NewProject(Why):
    """A project to make."""

    name: Name
    description: str = Field(default="", max_length=2_000)


class Project(Row):
    """A project."""

    id: str
    name: str
    description: str
    created_at: float
    created_by: str


class App(Row):
    """An app of a project."""

    name: str
    description: str
    created_at: float
    created_by: str


@router.post("/projects", status_code=201)
async def create_project(body: NewProject, central: Centre, by: Caller) -> Project:
    """Make a project. For an admin of the organisation."""
    by.need_all("admin")
    async with central.change(by, body.why) as change:
        identifier = await projects.create(change, body.name, body.description)
        return Project.model_validate(await projects.find(change.connection, identifier))


@router.get("/projects")
async def list_projects(central: Centre, by: Caller, limit: Limit = _PAGE, cursor: Cursor = None) -> Page[Project]:
    """The projects that the key may see, by name."""
    by.need("read")
    async with central.database.reading() as connection:
        rows = await projects.page(connection, only=by.project, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Project, "name")


@router.get("/projects/{project}")
async def get_project(found: Readable) -> Project:
    """A project by its name or id."""
    return Project.model_validate(found)


@router.post("/projects/{project}/apps", status_code=201)
async def create_app(body: NewProject, found: Ruled, central: Centre, by: Caller) -> App:
    """Make an app. Its keys are made apart; the proxies that follow the project know it from the next bundle on."""
    async with central.change(by, body.why) as change:
        await projects.add_app(change, found.id, body.name, body.description)
        await releases.again(change, found.id, "apps changed")
        return App.model_validate(await projects.app(change.connection, found.id, body.name))


@router.get("/projects/{project}/apps")
async def list_apps(found: Readable, central: Centre, limit: Limit = _PAGE, cursor: Cursor = None) -> Page[App]:
    """A project's apps, by name."""
    async with central.database.reading() as connection:
        rows = await projects.app_page(connection, found.id, after=cursor, limit=limit + 1)
    return page_of(rows, limit, App, "name")


@router.get("/projects/{project}/apps/{app}")
async def get_app(app: Named, found: Readable, central: Centre) -> App:
    """An app."""
    async with central.database.reading() as connection:
        return App.model_validate(await projects.app(connection, found.id, app))
