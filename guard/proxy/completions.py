"""`POST /v1/chat/completions`: what goes in is checked, the provider is asked, what comes out is checked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from guard.errors import UpstreamError
from guard.guard import ANSWERED, ASKED, Exchange
from guard.metrics import Turn
from guard.proxy import chat, sse
from guard.proxy.body import Json, error_body, read_json
from guard.proxy.headers import guard_headers, summary
from guard.proxy.history import without_refused, without_restored
from guard.proxy.proxy import Proxy, labels_of, proxy_of, unless_hung_up
from guard.proxy.stream import guarded

ROUTE = "/v1/chat/completions"


async def chat_completions(request: Request) -> Response:
    """One chat completion, whole or streamed."""
    proxy = proxy_of(request)
    app = proxy.keys.app(request)
    body = await read_json(request, proxy.settings.max_body)
    chat.validate(body, proxy.settings.max_messages)
    exchange = proxy.guard.exchange(app=app, model=body["model"], route=ROUTE, **labels_of(body))
    body["messages"] = without_refused(body["messages"], exchange.policy.refusals(ASKED))
    asked = chat.read_request(body, exchange.labels)
    turn, refused = await exchange.check_each(asked, ASKED)
    unread = chat.unread(body)
    if refused is not None:
        return _overridden(body, exchange, refused.text, unread)
    body = chat.write_request(body, asked, turn)
    body["messages"] = without_restored(body["messages"], exchange.placeholders)
    if body.get("stream"):
        return await _streamed(request, proxy, body, exchange, turn, unread)
    answer = await unless_hung_up(request, proxy.upstream.complete(body, request.headers))
    answer = await _answered(exchange, body, answer, turn)
    return Json(answer, headers=guard_headers(exchange, unread=unread))


async def _answered(exchange: Exchange, body: chat.Body, answer: chat.Body, turn: Turn) -> chat.Body:
    """The provider's whole answer as the caller may have it."""
    turn, refused = await exchange.check_each(chat.read_answer(answer, turn), ANSWERED)
    if refused is not None:
        override = chat.override(answer.get("model") or body["model"], refused.text)
        return {**override, "usage": answer.get("usage")}
    restore = exchange.placeholders.restore
    arguments = [restore(call.arguments, in_json=True) for call in turn.tool_calls]
    return chat.write_answer(answer, [restore(text) for text in turn.output], arguments)


def _overridden(body: chat.Body, exchange: Exchange, reply: str, unread: int) -> Response:
    """The answer to a request that is not passed on."""
    headers = guard_headers(exchange, unread=unread)
    if not body.get("stream"):
        return Json(chat.override(body["model"], reply), headers=headers)
    chunks = [sse.event(chunk) for chunk in chat.override_chunks(body["model"], reply)]
    return Response(b"".join((*chunks, sse.DONE)), headers=headers, media_type="text/event-stream")


async def _streamed(
    request: Request, proxy: Proxy, body: chat.Body, exchange: Exchange, turn: Turn, unread: int
) -> Response:
    """The streamed answer. The provider is heard before the response starts, so that its errors keep their status."""
    chunks = proxy.upstream.stream(body, request.headers)
    first = await unless_hung_up(request, anext(chunks, None))
    settings = proxy.settings
    released = guarded(exchange, turn, _chained(first, chunks), window=settings.window, overlap=settings.overlap)

    async def events() -> AsyncGenerator[bytes]:
        try:
            async for chunk in released:
                yield sse.event(chunk)
            yield sse.comment(summary(exchange, unread=unread))
            yield sse.DONE
        except UpstreamError as error:
            # The status has left already; an error event without [DONE] is how a stream says that it broke off.
            yield sse.event(error_body(str(error), kind="upstream_error", code=error.code))
        finally:
            await released.aclose()
            await chunks.aclose()

    headers = {**guard_headers(exchange, unread=unread), "cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingResponse(events(), headers=headers, media_type="text/event-stream")


async def _chained(first: chat.Body | None, rest: AsyncIterator[chat.Body]) -> AsyncIterator[chat.Body]:
    if first is not None:
        yield first
    async for chunk in rest:
        yield chunk
