"""`/v1/mcp/{server}`: MCP's streamable HTTP, with every message read on its way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from guard.errors import BadRequest, GuardError, UpstreamError
from guard.proxy import sse
from guard.proxy.admission import as_stream
from guard.proxy.body import Json, body_of
from guard.proxy.handler import STREAM
from guard.proxy.headers import guard_headers, summary
from guard.proxy.mcp.message import (
    UNKNOWN_METHOD,
    Message,
    answers,
    asks,
    error_of,
    of_server,
    read_messages,
)
from guard.proxy.mcp.methods import ENDLESS
from guard.proxy.mcp.mirrored import mirrored
from guard.proxy.mcp.reader import Reader
from guard.proxy.mcp.servers import PASSED_BACK
from guard.proxy.mcp.session import LEFT_OUT, Session
from guard.proxy.proxy import unless_hung_up

ROUTE = "/v1/mcp/{server}"
METHODS = ["POST", "GET", "DELETE"]
#: The one version with batches, which is also meant where none is named.
BATCHES = ("", "2025-03-26")
OPEN = b":\n\n"


async def mcp(request: Request) -> Response:
    """A client's messages and their answers; the stream of what a server has to say; or a session's end."""
    session = Session.of(request)
    return await session.proxy.limits.around(session.caller, session.labels, lambda _: _served(session))


async def _served(session: Session) -> Response:
    asked, request = Asked(session.reader()), session.request
    if request.method == "POST":
        return await _posted(session, asked)
    ends = request.method == "DELETE"
    if not ends:
        as_stream(request)
    async with AsyncExitStack() as stack:
        response = await unless_hung_up(request, stack.enter_async_context(session.send(endless=not ends)))
        if response.status_code >= 400:
            return await _refused(session, asked, response)
        if ends:
            return Response(status_code=response.status_code, headers=asked.headers(response))
        if not _is(response, "text/event-stream"):
            raise UpstreamError("the MCP server did not answer with a stream of events")
        return _streamed(session, asked, response, stack.pop_all())


@dataclass(slots=True)
class Asked:
    """What a client asked: the messages for the server, those that Guard answers itself, and what is still open."""

    reader: Reader
    sent: list[Message] = field(default_factory=list)
    answered: list[Message] = field(default_factory=list)
    batch: bool = False

    def waiting(self) -> dict[str | int, Message]:
        """The requests that were sent, by id."""
        return {message["id"]: message for message in self.sent if asks(message)}

    def headers(self, response: httpx.Response | None = None) -> dict[str, str]:
        """What the response says of the checks, and of what the server's said of the session."""
        shown = {name: response.headers[name] for name in PASSED_BACK if name in response.headers} if response else {}
        return {**shown, **guard_headers(self.reader.exchange)}

    def response(self, messages: list[Message], response: httpx.Response | None = None) -> Response:
        """The messages as one response."""
        headers = self.headers(response)
        if not messages:
            return Response(status_code=202, headers=headers)
        return Json(messages, 200, headers) if self.batch else Json(messages[0], self._status(messages[0]), headers)

    def _status(self, answer: Message) -> int:
        if answer["id"] is None:  # to a notification
            return 400
        unknown = answer.get("error", {}).get("code") == UNKNOWN_METHOD
        # Before 2026 a 404 means that the session is over.
        return 404 if unknown and self.reader.stateless else 200


async def _posted(session: Session, asked: Asked) -> Response:
    """The answers to what a client posted."""
    body = _body(session)
    asked.batch = isinstance(body, list)
    if asked.batch and session.version not in BATCHES:
        raise BadRequest(f"MCP {session.version} has no batches; send each message by itself")
    messages = read_messages(body, session.proxy.settings.max_messages)
    for message in messages:
        to_send, instead = await asked.reader.asked(message)
        asked.sent += [to_send] if to_send else []
        asked.answered += [instead] if instead else []
    if not asked.sent:
        return asked.response(asked.answered)
    mirrors = {} if asked.batch else mirrored(session.request.headers, messages[0], asked.sent[0])
    content = asked.sent if asked.batch else asked.sent[0]
    endless = any(message.get("method") in ENDLESS for message in asked.sent)
    if endless:
        as_stream(session.request)
    async with AsyncExitStack() as stack:
        sending = stack.enter_async_context(session.send(content, mirrors, endless=endless))
        response = await unless_hung_up(session.request, sending)
        if response.status_code >= 400:
            return await _refused(session, asked, response)
        if not asked.waiting():
            return asked.response(asked.answered, response)
        if _is(response, "text/event-stream"):
            return _streamed(session, asked, response, stack.pop_all())
        if not _is(response, "application/json"):
            raise UpstreamError("the MCP server answered with neither JSON nor a stream of events")
        return await unless_hung_up(session.request, _whole(session, asked, response))


def _body(session: Session) -> object:
    try:
        return orjson.loads(body_of(session.request))
    except orjson.JSONDecodeError as problem:
        raise BadRequest(f"the body is not valid JSON: {problem}") from None


async def _whole(session: Session, asked: Asked, response: httpx.Response) -> Response:
    """The server's answers as the client may have them, in one response."""
    try:
        body = orjson.loads(await session.proxy.mcp.read(response))
    except orjson.JSONDecodeError:
        raise UpstreamError("the MCP server's answer is not JSON") from None
    messages = [of_server(message) for message in (body if isinstance(body, list) and asked.batch else [body])]
    waiting = asked.waiting()
    if not all(answers(message) and message["id"] in waiting for message in messages):
        raise UpstreamError("the MCP server answered something that was not asked")
    clean = [await asked.reader.answered(message, waiting[message["id"]]) for message in messages]
    return asked.response([*asked.answered, *clean], response)


async def _refused(session: Session, asked: Asked, response: httpx.Response) -> Response:
    """A response that tells of an error. Its status means something to clients, so it stays; its text is read."""
    if response.status_code >= 500:
        raise UpstreamError(f"the MCP server answered with status {response.status_code}")
    only = asked.sent[0] if len(asked.sent) == 1 else None
    try:
        message = of_server(orjson.loads(await session.proxy.mcp.read(response)))
    except (orjson.JSONDecodeError, UpstreamError):
        return Response(status_code=response.status_code, headers=asked.headers(response))
    if "error" not in message:
        raise UpstreamError(f"the MCP server answered with status {response.status_code} and no error")
    answer = await asked.reader.answered(message, only)
    return Json(answer, response.status_code if "error" in answer else 200, asked.headers(response))


def _streamed(session: Session, asked: Asked, response: httpx.Response, stack: AsyncExitStack) -> Response:
    async def sent() -> AsyncGenerator[bytes]:
        async with stack:
            async for content in _events(session, asked, response):
                yield content

    headers = {**asked.headers(response), **STREAM}
    return StreamingResponse(sent(), headers=headers, media_type="text/event-stream")


async def _events(session: Session, asked: Asked, response: httpx.Response) -> AsyncGenerator[bytes]:
    """What the server streams, one message read after the other, and Guard's own answers before it."""
    waiting = asked.waiting()
    for message in asked.answered:
        yield sse.event(message)
    try:
        async for event, message in session.events(response):
            if event is None:
                yield OPEN
            elif message is None:
                yield event.encoded()
            else:
                if not answers(message):
                    clean = await session.heard(message)
                elif to := waiting.pop(message["id"], None):
                    clean = await asked.reader.answered(message, to)
                else:  # asked before, by a request whose stream this one goes on with
                    clean = await session.reader().answered(message, None)
                yield event.encoded(clean) if clean else LEFT_OUT + event.encoded()
    except GuardError as problem:
        # The status has left already: each request that waits gets the error as its answer.
        for message in waiting.values():
            yield sse.event(error_of(problem, to=message))
    if session.request.method == "POST":
        yield sse.comment(summary(asked.reader.exchange))


def _is(response: httpx.Response, kind: str) -> bool:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() == kind
