"""What the routes share: the guard, the provider, the app keys and the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from guard.guard import Guard
from guard.policies.live import LivePolicies
from guard.proxy.admission import Admission
from guard.proxy.auth import AppKeys, Caller
from guard.proxy.drain import Drain
from guard.proxy.limits import Limits
from guard.proxy.mcp.servers import McpServers
from guard.proxy.resilience import Targets
from guard.proxy.upstream import Upstream
from guard.redis import SharedRedis
from guard.settings import Settings
from guard.store.buffer import Buffer

T = TypeVar("T")

#: Where a request's scope says who is calling.
CALLER = "guard.caller"
#: The status of a request whose caller went away; access logs know it by that.
GONE = 499


@dataclass(frozen=True, slots=True)
class Proxy:
    """One worker's parts. Routes find it as `request.app.state.proxy`."""

    guard: Guard
    targets: Targets
    anthropic: Targets
    keys: AppKeys
    limits: Limits
    settings: Settings
    policies: LivePolicies
    drain: Drain
    mcp: McpServers
    admission: Admission
    events: Buffer | None = None
    redis: SharedRedis | None = None

    @property
    def upstream(self) -> Upstream:
        """The provider of the settings, asked once: without retries, and without others that stand in for it."""
        return self.targets.first.upstream

    def targets_at(self, path: str) -> Targets:
        """Who is asked at a protocol's path."""
        return self.anthropic if path.partition("/")[0] == "messages" else self.targets


class HungUp(Exception):
    """The caller went away before the answer was there: no error, and nobody is left to be told of it."""


def proxy_of(request: Request) -> Proxy:
    """The worker's parts."""
    return request.app.state.proxy


def caller_of(request: Request) -> Caller:
    """Who is calling: nobody's request gets this far without a key where one is required."""
    return request.scope[CALLER]


async def unless_hung_up(request: Request, work: Awaitable[T]) -> T:
    """The result of the work, which is cancelled when the caller goes away. Raises HungUp then.

    The request's body must have been read: what is received after it can only be the disconnect.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HungUp
        return task.result()
    finally:
        for future in (task, gone):
            future.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
