"""Projects, and the apps in them."""

from __future__ import annotations

from guard.client.face import F, Method
from guard.client.http import path_of
from guard.client.records import App, Page, Project
from guard.client.room import ROOT, USUAL, Room


class Projects(Room[F]):
    """The organisation's projects."""

    @Method
    async def create(self, name: str, *, description: str = "", why: str = "") -> Project:
        """Make a project. Raises Conflict where there is one of that name."""
        body = {"name": name, "description": description, "why": why}
        return Project.of(await self._http.ask("POST", f"{ROOT}/projects", body))

    @Method
    async def get(self, name: str) -> Project:
        """A project by its name or id. Raises NotFound."""
        return Project.of(await self._http.ask("GET", ROOT + path_of("projects", name)))

    @Method
    async def list(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[Project]:
        """The projects that the key may see, by name; all of them with `limit=None`."""
        return await self._listed(f"{ROOT}/projects", Project.of, limit, cursor)


class Apps(Room[F]):
    """A project's apps."""

    @Method
    async def create(self, name: str, *, description: str = "", why: str = "") -> App:
        """Make an app; its keys are made apart. Raises Conflict where there is one of that name."""
        body = {"name": name, "description": description, "why": why}
        return App.of(await self._http.ask("POST", self._in_project("apps"), body))

    @Method
    async def get(self, name: str) -> App:
        """An app. Raises NotFound."""
        return App.of(await self._http.ask("GET", self._in_project("apps", name)))

    @Method
    async def list(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[App]:
        """The project's apps, by name; all of them with `limit=None`."""
        return await self._listed(self._in_project("apps"), App.of, limit, cursor)
