"""What the rooms of the SDK share: where they ask, for which project, and lists in pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from guard.client.face import F
from guard.client.http import Http, path_of
from guard.client.records import Page
from guard.errors import SettingsError

T = TypeVar("T")

#: Below which central's own routes stand.
ROOT = "/api/v1"
#: The most that central gives at once, and what a list holds where nobody says.
MOST, USUAL = 200, 50


@dataclass(frozen=True, slots=True)
class Place(Generic[F]):
    """Where to ask: a server, for one project or for none, with one of the two faces."""

    http: Http
    face: type[F]
    project: str | None = None

    def within(self, project: str) -> Place[F]:
        """The same for another project."""
        return replace(self, project=project)


class Room(Generic[F]):
    """Methods about one noun."""

    def __init__(self, place: Place[F]) -> None:
        self._place = place
        self._http = place.http

    @property
    def face(self) -> type[F]:
        """Whether methods return results or coroutines."""
        return self._place.face

    def _in_project(self, *steps: str | int) -> str:
        """The path to something of the project. Raises SettingsError where none was named."""
        if self._place.project is None:
            raise SettingsError("which project? write Client(…, project='NAME') or client.project('NAME')")
        return ROOT + path_of("projects", self._place.project, *steps)

    async def _listed(
        self,
        path: str,
        make: Callable[[Mapping[str, Any]], T],
        limit: int | None,
        cursor: str | None,
        **filters: Any,
    ) -> Page[T]:
        """Things of a list from a cursor on: at most `limit`, or all of them with None."""
        items: list[T] = []
        while True:
            wanted = MOST if limit is None else max(0, min(MOST, limit - len(items)))
            if not wanted:
                return Page(items, cursor)
            page = await self._http.ask("GET", path, params={**filters, "limit": wanted, "cursor": cursor})
            items += map(make, page["items"])
            cursor = page["next"]
            if cursor is None:
                return Page(items, None)
