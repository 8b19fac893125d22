"""How much a worker takes on at once: requests, those that wait for a place among them, uploads, and streams.

A request needs a worker's time, and holds its place until its answer has gone out. A stream whose first event is there
mostly waits for its provider: it gives its place back, and counts among the streams from then on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.errors import GuardError, Overloaded
from guard.metrics.threads import threads
from guard.proxy.files import OTHERS, files
from guard.settings import Settings

#: What stands under these is let in or refused: questions after the proxy's health are always answered.
ADMITTED = ("/v1/", "/beta/")
_PLACE = "guard.place"


class Admission:
    """The places of one worker, and who is refused for want of one."""

    def __init__(self, settings: Settings, allowed: int | None = None) -> None:
        """`allowed` is how many files the process may have open; default: what the system says."""
        self._settings = settings
        self._allowed = allowed or files()
        self._places = asyncio.Semaphore(settings.max_requests)
        self.requests = self.waiting = self.streams = self.uploads = 0
        #: Requests refused since the start, by what there was too much of.
        self.refused: Counter[str] = Counter()

    @property
    def load(self) -> dict[str, int]:
        """What is under way, and what waits: for a place, and for a thread that measures."""
        return {
            "requests": self.requests,
            "streams": self.streams,
            "waiting": self.waiting,
            "uploads": self.uploads,
            "measurements": threads().waiting,
        }

    async def enter(self) -> Place:
        """A place among the requests, at once or when one is free. Raises Overloaded where none will be in time."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        self.requests += 1
        return Place(self)

    def expect(self) -> None:
        """Look whether a request is worth taking in. Raises Overloaded where it could not even wait for a place."""
        if self._places.locked() and self.waiting >= self._settings.queue:
            raise Overloaded(self._full, over="requests")

    def add_upload(self) -> None:
        """One more request whose body is still on its way. Raises Overloaded where there are as many as may be."""
        if self.uploads >= self._settings.max_requests:
            raise Overloaded(f"{self.uploads} requests are still being sent; try again", over="uploads")
        self.uploads += 1

    @property
    def _full(self) -> str:
        return f"{self._settings.max_requests} requests are under way and {self.waiting} wait; try again"

    async def _wait(self) -> None:
        self.expect()
        full = self._full
        self.waiting += 1
        try:
            async with asyncio.timeout(self._settings.queue_timeout):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded(full, over="requests") from None
        finally:
            self.waiting -= 1

    @property
    def _no_files(self) -> bool:
        """Whether no file is left for one connection of a caller's and one to a provider.

        Without files the system closes new connections unheard, and no caller would learn why.
        """
        return self._allowed is not None and 2 * (self.requests + self.streams) + OTHERS > self._allowed

    def leave(self) -> None:
        """A place among the requests is free."""
        self.requests -= 1
        self._places.release()

    def add_stream(self) -> None:
        """One stream more. Raises Overloaded where there are as many as may be."""
        if self.streams >= self._settings.max_streams or self._no_files:
            raise Overloaded(f"{self.streams} streams are under way; try again", over="streams")
        self.streams += 1


@dataclass(slots=True)
class Place:
    """What one request holds: a place among the requests, among the streams, or for a while among both."""

    admission: Admission
    waits: bool = True
    streams: bool = False

    def begun(self) -> None:
        """The answer has begun: what is left of a stream is no request any more."""
        if self.streams and self.waits:
            self.waits = False
            self.admission.leave()

    def leave(self) -> None:
        """The answer has gone out, or nobody waits for it."""
        if self.waits:
            self.admission.leave()
        if self.streams:
            self.admission.streams -= 1


def as_stream(request: Request) -> None:
    """Count a request's answer among the streams, before anyone is asked for it. Raises Overloaded."""
    place: Place = request.scope[_PLACE]
    if not place.streams:
        place.admission.add_stream()
        place.streams = True


class Admitted:
    """Lets requests in, once they are here whole. `refuse` makes the answer to those that are not let in."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, GuardError], Awaitable[Response]]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request as soon as there is a place for it."""
        if scope["type"] != "http" or not scope["path"].startswith(ADMITTED):
            await self._app(scope, receive, send)
            return
        admission: Admission = scope["app"].state.proxy.admission
        try:
            place = await admission.enter()
        except Overloaded as error:
            response = await self._refuse(Request(scope), error)
            await response(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                place.begun()
            await send(message)

        scope[_PLACE] = place
        try:
            await self._app(scope, receive, sending)
        finally:
            place.leave()
