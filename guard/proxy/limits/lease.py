"""One request that was let in, until its answer has gone out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from guard.proxy.limits.usage import Count, Metered
from guard.proxy.upstream import Upstream


@dataclass(slots=True)
class Lease:
    """What a request holds while it is under way. `give_back` is told the tokens; `headers` tell what is left."""

    headers: Mapping[str, str] = field(default_factory=dict)
    count: Count | None = None
    give_back: Callable[[int], Awaitable[None]] | None = None

    def metered(self, upstream: Upstream) -> Upstream:
        """The upstream, whose tokens are counted if there is a limit on them."""
        return Metered(upstream, self.count) if self.count else upstream

    async def around(self, answering: Coroutine[Any, Any, Response]) -> Response:
        """The response, with the headers, after which the lease ends, however it ends."""
        try:
            response = await answering
        except BaseException:
            await self.end()
            raise
        response.headers.update(self.headers)
        return Leased(response, self) if self.give_back else response

    async def end(self) -> None:
        """The request is over."""
        if self.give_back:
            await self.give_back(self.count.tokens if self.count else 0)


class Leased(Response):
    """A response that ends a lease when it has gone out, whole, or as far as its caller took it."""

    def __init__(self, response: Response, lease: Lease) -> None:
        self._response = response
        self._lease = lease

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await self._response(scope, receive, send)
        finally:
            await self._lease.end()
