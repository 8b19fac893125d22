"""The proxy, watched: its requests, its calls of the provider, and `GET /metrics`. Nothing of it is there when off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from typing import Any, Protocol

import aiohttp
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.errors import Unauthorised
from guard.policies.live import LivePolicies
from guard.proxy.admission import Admission
from guard.proxy.resilience import Targets
from guard.proxy.resilience.breaker import State
from guard.proxy.upstream import Upstream
from guard.store.buffer import Buffer
from guard.telemetry import Telemetry
from guard.telemetry.families import LOAD, POLICY_PROBLEM, REFUSED, UPSTREAM_STATE
from guard.telemetry.meters import Meters
from guard.telemetry.running import Running
from guard.telemetry.sampler import Events

#: Only what stands under these is watched: questions after the proxy's health would drown what matters.
WATCHED = ("/v1/", "/beta/")
#: What calls are called whose path nobody reads: it may hold anything.
UNREAD = "unread"
#: A breaker's state as a number: the higher the worse.
STATES: dict[State, float] = {"closed": 0.0, "half-open": 1.0, "open": 2.0}


class Watched:
    """Tells telemetry of each request. `routes` are those that have a name of their own; it may come from no caller."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        patterns = [route.path for route in routes if isinstance(route, Route)]
        self._exact = {pattern for pattern in patterns if "{" not in pattern}
        self._open = [
            (pattern.partition("{")[0], pattern.replace(":path", "")) for pattern in patterns if "{" in pattern
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and tell of it."""
        if scope["type"] != "http" or not scope["path"].startswith(WATCHED):
            await self._app(scope, receive, send)
            return
        telemetry: Telemetry = scope["app"].state.watching.observer

        def header(name: str) -> str:
            return Headers(scope=scope).get(name, "")

        with telemetry.serving(scope["method"], self._route(scope["path"]), header) as served:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    served.status = message["status"]
                await send(message)

            await self._app(scope, receive, sending)

    def _route(self, path: str) -> str:
        if path in self._exact:
            return path
        return next((pattern for start, pattern in self._open if path.startswith(start)), "other")


class Forwards(Protocol):
    """A provider that takes calls which nobody reads."""

    def forward(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> AbstractAsyncContextManager[tuple[aiohttp.ClientResponse, AsyncIterator[bytes]]]:
        """The response, and its body piece by piece. Raises UpstreamError."""
        ...


@asynccontextmanager
async def forwarded(
    request: Request, upstream: Forwards, provider: str, path: str, content: bytes
) -> AsyncIterator[tuple[aiohttp.ClientResponse, AsyncIterator[bytes]]]:
    """A provider's response to a request that nobody reads, of which telemetry is told, where there is any."""
    watching: Running | None = request.app.state.watching
    told = nullcontext() if watching is None else watching.observer.calling(provider, UNREAD, {}, request.headers)
    with told as call:
        headers = request.headers if call is None else call.headers
        async with upstream.forward(request.method, path, headers, content) as (response, pieces):
            if call is not None and response.status >= 400:
                call.error = str(response.status)
            yield response, pieces


def watched(request: Request, upstream: Upstream, provider: str) -> Upstream:
    """The provider, whose calls for this request telemetry is told of, where there is any."""
    watching: Running | None = request.app.state.watching
    return upstream if watching is None else WatchedUpstream(upstream, provider, watching.observer)


class WatchedUpstream:
    """A provider whose calls telemetry is told of."""

    def __init__(self, upstream: Upstream, provider: str, telemetry: Telemetry) -> None:
        self._upstream = upstream
        self._provider = provider
        self._telemetry = telemetry

    async def complete(self, path: str, body: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        """The whole answer. Raises UpstreamError."""
        with self._telemetry.calling(self._provider, path, body, headers) as call:
            answer = await self._upstream.complete(path, body, call.headers)
            call.heard(answer, streamed=False)
            return answer

    async def stream(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str]
    ) -> AsyncGenerator[dict[str, Any]]:
        """The answer's events. Raises UpstreamError."""
        with self._telemetry.calling(self._provider, path, body, headers) as call:
            async with aclosing(self._upstream.stream(path, body, call.headers)) as events:
                async for event in events:
                    call.heard(event, streamed=True)
                    yield event

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """What the provider answers to a GET, which is no generation and not told of. Raises UpstreamError."""
        return await self._upstream.get(path, headers)

    async def aclose(self) -> None:
        """End all connections."""
        await self._upstream.aclose()


def look_at(
    policies: LivePolicies, buffer: Buffer | None, admission: Admission, *targets: Targets
) -> Callable[[Meters], None]:
    """What puts into the meters, each time it is called, what nobody tells of as it happens."""
    events = Events(buffer.stats) if buffer is not None else None

    def look(meters: Meters) -> None:
        meters.tally.set(POLICY_PROBLEM, float(bool(policies.status.error)))
        for provider, state in (pair for each in targets for pair in each.states.items()):
            meters.tally.set(UPSTREAM_STATE, STATES[state], provider)
        for of, number in admission.load.items():
            meters.tally.set(LOAD, number, of)
        for over, number in admission.refused.items():
            meters.tally.set(REFUSED, number, over)
        if events is not None:
            events.look(meters)

    return look


async def metrics(request: Request) -> Response:
    """The figures for Prometheus, to whoever has the token."""
    from guard.telemetry.exposition import exposed, may_read

    watching: Running = request.app.state.watching
    if not may_read(request.headers.get("authorization", ""), watching.token):
        raise Unauthorised("figures are told to who sends metrics_token as 'Authorization: Bearer TOKEN'")
    # Writing hundreds of lines takes milliseconds, which others would wait for on the loop.
    accept = request.headers.get("accept", "")
    content, kind = await asyncio.to_thread(lambda: exposed(watching.figures(), accept))
    return Response(content, headers={"content-type": kind})
