"""One request, whatever its protocol: what goes in is checked, the provider is asked, what comes out is checked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from guard.errors import UpstreamError
from guard.guard import ANSWERED, ASKED, Exchange
from guard.metrics import Turn
from guard.proxy import sse
from guard.proxy.body import Json, read_json
from guard.proxy.headers import guard_headers, summary
from guard.proxy.proxy import Proxy, proxy_of, unless_hung_up
from guard.proxy.stream import guarded
from guard.proxy.wire.leaves import Body
from guard.proxy.wire.wire import Streaming, Wire

STREAM = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def handler(wire: Wire) -> Callable[[Request], Awaitable[Response]]:
    """What answers the requests of a protocol."""

    async def handle(request: Request) -> Response:
        proxy = proxy_of(request)
        app = proxy.keys.app(request)
        body = await read_json(request, proxy.settings.max_body)
        wire.validate(body, proxy.settings.max_messages)
        exchange = proxy.guard.exchange(app=app, model=body.get("model", ""), route=wire.route, **wire.labels(body))
        body = wire.without_refused(body, exchange.policy.refusals(ASKED))
        return await Call(request, proxy, wire, body, exchange, wire.unread(body)).response()

    return handle


@dataclass(slots=True)
class Call:
    """One request that was understood, on its way to the provider and back."""

    request: Request
    proxy: Proxy
    wire: Wire
    body: Body
    exchange: Exchange
    unread: Mapping[str, int]

    async def response(self) -> Response:
        """The answer, whole or streamed; the policy's own where a stage refuses the request."""
        wire, exchange = self.wire, self.exchange
        asked = wire.read_request(self.body, exchange.labels)
        turn, refused = await exchange.check_each(asked, ASKED)
        if refused is not None:
            return self._overridden(refused.text)
        self.body = wire.write_request(self.body, asked, turn, exchange.placeholders)
        if wire.streams(self.body):
            return await self._streamed(turn)
        asking = self.proxy.upstream.complete(wire.path, self.body, self.request.headers)
        answer = await unless_hung_up(self.request, asking)
        answer = await self._answered(answer, turn)
        return Json(answer, headers=guard_headers(exchange, unread=self.unread))

    async def _answered(self, answer: Body, turn: Turn) -> Body:
        """The provider's whole answer as the caller may have it."""
        turn, refused = await self.exchange.check_each(self.wire.read_answer(answer, turn), ANSWERED)
        if refused is not None:
            return self.wire.override(self.body, refused.text, answer)
        restore = self.exchange.placeholders.restore
        arguments = [restore(call.arguments, in_json=True) for call in turn.tool_calls]
        return self.wire.write_answer(answer, [restore(text) for text in turn.output], arguments)

    def _overridden(self, reply: str) -> Response:
        """The answer to a request that is not passed on."""
        headers = guard_headers(self.exchange, unread=self.unread)
        if not self.wire.streams(self.body):
            return Json(self.wire.override(self.body, reply), headers=headers)
        streaming = self.wire.streaming(self.body)
        content = b"".join((*map(streaming.encode, streaming.override(reply)), streaming.end))
        return Response(content, headers=headers, media_type="text/event-stream")

    async def _streamed(self, turn: Turn) -> Response:
        """The streamed answer. The provider is heard before the response starts: its errors keep their status."""
        events = self.proxy.upstream.stream(self.wire.path, self.body, self.request.headers)
        first = await unless_hung_up(self.request, anext(events, None))
        streaming, settings = self.wire.streaming(self.body), self.proxy.settings
        heard = _chained(() if first is None else (first,), events)
        released = guarded(streaming, self.exchange, turn, heard, window=settings.window, overlap=settings.overlap)

        async def sent() -> AsyncGenerator[bytes]:
            try:
                async for content in self._encoded(streaming, released):
                    yield content
            finally:
                await released.aclose()
                await events.aclose()

        headers = {**guard_headers(self.exchange, unread=self.unread), **STREAM}
        return StreamingResponse(sent(), headers=headers, media_type="text/event-stream")

    async def _encoded(self, streaming: Streaming, released: AsyncIterator[Body]) -> AsyncGenerator[bytes]:
        try:
            async for event in released:
                yield streaming.encode(event)
            yield sse.comment(summary(self.exchange, unread=self.unread))
            yield streaming.end
        except UpstreamError as error:
            # The status has left already.
            for event in streaming.broken(error):
                yield streaming.encode(event)


async def _chained(first: Iterable[Body], rest: AsyncIterator[Body]) -> AsyncGenerator[Body]:
    for event in first:
        yield event
    async for event in rest:
        yield event
