"""The SDK's two clients: one body, waited for or awaited."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self

from guard.client.datasets import Datasets
from guard.client.environments import Environments
from guard.client.events import Events
from guard.client.face import Awaited, F, Method, Waits
from guard.client.fleet import Fleet
from guard.client.http import Http
from guard.client.jobs import Jobs
from guard.client.keys import Keys
from guard.client.policies import Policies
from guard.client.projects import Apps, Projects
from guard.client.proxy import Proxy
from guard.client.room import Place
from guard.client.stages import Stages
from guard.errors import SettingsError

if TYPE_CHECKING:
    import httpx

#: The variables that the command line reads too.
URL, KEY = "GUARD_CENTRAL", "GUARD_CENTRAL_KEY"


class Base(Generic[F]):
    """What both clients have: a room for each noun."""

    _face: type[F]

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        project: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        verify: Any = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        url, api_key = url or os.environ.get(URL), api_key or os.environ.get(KEY)
        if not url:
            raise SettingsError(f"url: where is central? give its address, or set the variable {URL}")
        if not api_key:
            raise SettingsError(f"api_key: give a key of central's, or put it into the variable {KEY}")
        http = Http(url, api_key, timeout=timeout, retries=retries, verify=verify, transport=transport)
        self._enter(Place(http, self._face, project))

    def project(self, name: str) -> Self:
        """A client for another project, with the same connections."""
        other = object.__new__(type(self))
        other._enter(self._place.within(name))
        return other

    @property
    def face(self) -> type[F]:
        """Whether methods return results or coroutines."""
        return self._face

    def __repr__(self) -> str:
        project = f", project={self._place.project!r}" if self._place.project else ""
        return f"{type(self).__name__}({self._place.http.url!r}{project})"

    @Method
    async def close(self) -> None:
        """Close the connections."""
        await self._place.http.close()

    def _enter(self, place: Place[F]) -> None:
        self._place = place
        self.projects = Projects(place)
        self.apps = Apps(place)
        self.keys = Keys(place)
        self.stages = Stages(place)
        self.policies = Policies(place)
        self.environments = Environments(place)
        self.fleet = Fleet(place)
        self.datasets = Datasets(place)
        self.jobs = Jobs(place)
        self.events = Events(place)
        self.proxy = Proxy(place)


class Client(Base[Waits]):
    """A client of `guard central`, or of a proxy (`client.proxy`), for code that cannot await; in a notebook too.

    `url` and `api_key` are by default what the variables GUARD_CENTRAL and GUARD_CENTRAL_KEY hold; `project` is the
    one whose stages, policies and so on are meant. `timeout` is in seconds and counts for each try; what may be tried
    again is, `retries` times, as late as the server asks. `verify` and `transport` are httpx's. What the server refuses
    is raised as the error that it is: Unauthorised, Forbidden, NotFound, Conflict, Invalid, RateLimited, PolicyError;
    Unreachable where there is no answer. All are GuardErrors.
    """

    _face = Waits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncClient(Base[Awaited]):
    """`Client` for code that awaits: every method is a coroutine function."""

    _face = Awaited

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()
