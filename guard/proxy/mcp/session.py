"""One client's HTTP request to an MCP server, and what it needs to be read and sent on."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import httpx
import orjson
from starlette.requests import Request

from guard.errors import BadRequest, UpstreamError
from guard.proxy import sse
from guard.proxy.auth import Caller
from guard.proxy.body import dump
from guard.proxy.mcp.events import Event, events
from guard.proxy.mcp.message import BLOCKED, STATELESS, Message, asks, error, of_server
from guard.proxy.mcp.reader import Reader
from guard.proxy.mcp.servers import PASSED_ON
from guard.proxy.proxy import Proxy, caller_of, proxy_of

log = logging.getLogger(__name__)

#: What stands in a stream where a message of the server's was left out; why is in the message's event.
LEFT_OUT = sse.comment("guard left out a message of the server's")
_VERSION = re.compile(r"[\w.-]{0,32}", re.ASCII)


class ForbiddenOrigin(BadRequest):
    """A web page of an origin that the settings do not name."""

    status = 403
    code = "forbidden_origin"


@dataclass(frozen=True, slots=True)
class Session:
    """A client's request to one server; `opened` are the methods that a setting opens."""

    request: Request
    proxy: Proxy
    caller: Caller
    server: str
    opened: frozenset[str]

    @classmethod
    def of(cls, request: Request) -> Session:
        """Who asks, and for which server. Raises Unauthorised, NoServer or ForbiddenOrigin."""
        proxy = proxy_of(request)
        caller = caller_of(request)
        # Or any web page could use the servers that are set up on its reader's machine (DNS rebinding).
        origin = request.headers.get("origin")
        if origin is not None and origin not in proxy.settings.mcp_origins:
            raise ForbiddenOrigin("web pages of this origin may not call MCP servers; name it in mcp_origins")
        server = request.path_params["server"]
        if not _VERSION.fullmatch(request.headers.get("mcp-protocol-version", "")):
            raise BadRequest("'MCP-Protocol-Version' is no version of MCP", param="mcp-protocol-version")
        return cls(request, proxy, caller, server, proxy.mcp.opened(server))

    @property
    def version(self) -> str:
        """The protocol's version that the client speaks, as far as it says so."""
        return self.request.headers.get("mcp-protocol-version", "")

    @property
    def labels(self) -> dict[str, str]:
        """What the request says of whose turn it is."""
        # A session's id opens the session, so it is not what events show.
        session = self.request.headers.get("mcp-session-id", "")
        return {"session": hashlib.sha256(session.encode()).hexdigest()[:16]} if session else {}

    def reader(self) -> Reader:
        """For one exchange under the policy that is in force now. Raises NoPolicy where none applies."""
        exchange = self.caller.exchange(self.proxy.guard, "", self.request.scope["path"], self.labels)
        return Reader(exchange, self.opened, self.version >= STATELESS)

    def send(
        self, content: Message | list[Message] | None = None, more: Mapping[str, str] | None = None, *,
        method: str = "", endless: bool = False,
    ) -> AbstractAsyncContextManager[httpx.Response]:  # fmt: skip
        """The server's response to what is sent as this request, its body not yet read. Raises UpstreamError."""
        headers = self.request.headers
        sent = {name: headers[name] for name in (*PASSED_ON, "authorization") if name in headers}
        body = None if content is None else dump(content)
        if body is not None:
            sent["content-type"] = "application/json"
        sent.update(more or {})
        return self.proxy.mcp.send(self.server, method or self.request.method, sent, body, endless=endless)

    async def heard(self, message: Message) -> Message | None:
        """A server's request or notification as the client may have it; None where it is refused.

        A stream of them may go on for days, so each is an exchange of its own: under the policy of its time.
        """
        let_in, why = await self.reader().told(message)
        if let_in is None:
            log.info("a message of the MCP server '%s' was left out", self.server)
            if asks(message):
                await self._answer(error(BLOCKED, why, to=message))
        return let_in

    async def events(self, response: httpx.Response) -> AsyncIterator[tuple[Event | None, Message | None]]:
        """What a server streams: each event with its message; no message to go on from later, no event to stay open."""
        async for event in events(response.aiter_bytes(), self.proxy.settings.max_answer):
            if event is None or not event.data.strip():
                yield event, None
                continue
            try:
                message = orjson.loads(event.data)
            except orjson.JSONDecodeError:
                raise UpstreamError("the MCP server's stream holds something that is not JSON") from None
            yield event, of_server(message)

    async def _answer(self, message: Message) -> None:
        """Tell the server in the client's place that it gets no answer, so that it does not wait for one."""
        try:
            async with self.send(message, method="POST"):
                pass
        except UpstreamError as problem:
            log.warning("the MCP server '%s' could not be told of a refusal: %s", self.server, problem)
