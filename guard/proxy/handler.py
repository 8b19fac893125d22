"""One request, whatever its protocol: what goes in is checked, the provider is asked, what comes out is checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from guard.errors import BadRequest, Filtered, Overloaded, UpstreamError
from guard.guard import Exchange
from guard.metrics import ANSWERED, ASKED, Turn
from guard.proxy import sse
from guard.proxy.admission import as_stream
from guard.proxy.auth import Caller
from guard.proxy.body import Json, json_of
from guard.proxy.headers import guard_headers, summary
from guard.proxy.limits import Lease
from guard.proxy.proxy import Proxy, caller_of, proxy_of, unless_hung_up
from guard.proxy.resilience import Target
from guard.proxy.resilience.targets import falls_back
from guard.proxy.resilience.tried import Tried
from guard.proxy.stream import guarded
from guard.proxy.upstream import Upstream, UpstreamRefused
from guard.proxy.watched import watched
from guard.proxy.wire.leaves import Body, texts
from guard.proxy.wire.wire import EARLIER, Streaming, Wire
from guard.settings import Settings
from guard.verdict import Verdict

log = logging.getLogger(__name__)

T = TypeVar("T")

STREAM = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def handler(wire: Wire) -> Callable[[Request], Awaitable[Response]]:
    """What answers the requests of a protocol."""

    async def handle(request: Request) -> Response:
        proxy = proxy_of(request)
        caller, body = caller_of(request), json_of(request)
        wire.validate(body, proxy.settings.max_messages)
        if wire.streams(body):
            as_stream(request)
        answer = partial(_first_answer, request, proxy, wire, caller, body)
        return await proxy.limits.around(caller, wire.labels(body), answer)

    return handle


async def _first_answer(
    request: Request, proxy: Proxy, wire: Wire, caller: Caller, body: Body, lease: Lease
) -> Response:
    """The answer of the first target that has one.

    Each is asked under the policy for its own model: what that policy does not let through never reaches it.
    """
    targets = proxy.targets_at(wire.path)
    deadline = targets.first.clock() + proxy.settings.deadline
    # Also an error that comes of it says who was asked.
    tried = request.state.tried = Tried()
    failed: UpstreamError | None = None
    for target in targets.of(body.get("model", ""), wire.path):
        try:
            upstream = lease.metered(watched(request, target.until(deadline, tried), target.breaker.name))
            return await Call.of(request, proxy, wire, caller, body, target, upstream).response()
        except UpstreamError as error:
            if failed is None:
                failed = error
                if not falls_back(error):
                    raise
            else:
                failed.retries += 1
            # Not the message: a provider may have put the prompt into it.
            log.warning("%s gave no answer: %s", target.name, error.said or error.cause or type(error).__name__)
        except BadRequest:
            # The caller's mistake only where the first target was asked: a stand-in may speak less, or lack a policy.
            if failed is None:
                raise
        if target.clock() >= deadline:
            break
    assert failed is not None
    raise failed


@dataclass(slots=True)
class Call:
    """One request that was understood, on its way to a provider and back."""

    request: Request
    wire: Wire
    body: Body
    exchange: Exchange
    settings: Settings
    target: Target
    upstream: Upstream

    @classmethod
    def of(
        cls, request: Request, proxy: Proxy, wire: Wire, caller: Caller, body: Body, target: Target, upstream: Upstream
    ) -> Call:
        """The request as it is put to that target. Raises NoPolicy where no policy is for its model."""
        if target.model:
            body = {**body, "model": target.model}
        exchange = caller.exchange(proxy.guard, body.get("model", ""), wire.route, wire.labels(body))
        # Also an error that comes now says what was checked.
        request.state.exchange = exchange
        body = wire.without_refused(body, exchange.policy.refusals(ASKED))
        exchange.unread.update(wire.unread(body))
        return cls(request, wire, body, exchange, proxy.settings, target, upstream)

    async def response(self) -> Response:
        """The answer, whole or streamed; the policy's own where a stage refuses the request."""
        wire, exchange = self.wire, self.exchange
        if EARLIER in exchange.unread:
            exchange.placeholders.keep_clear(exchange.guard.random)
        asked = wire.read_request(self.body, exchange.labels)
        if asked.documents and not exchange.policy.has("retrieval"):
            exchange.unread["document"] += len(asked.documents)
        asked = replace(asked, unread=tuple(exchange.unread))
        turn, refused = await exchange.check_each(asked, exchange.policy.before)
        if refused is not None:
            return self._overridden(refused)
        self.body = wire.write_request(self.body, asked, turn, exchange.placeholders)
        try:
            return await (self._streamed(turn) if wire.streams(self.body) else self._whole(turn))
        except UpstreamRefused as error:
            # Some providers tell in it what the model had said.
            error.body = await self._refused(error.body, turn)
            raise

    async def _whole(self, turn: Turn) -> Response:
        """The whole answer."""
        asking = self.upstream.complete(self.wire.path, self.body, self.request.headers)
        answer = await self._meanwhile(asking, turn)
        if isinstance(answer, Verdict):
            return self._overridden(answer)
        answer = await self._answered(answer, turn)
        return Json(answer, headers=self._answered_by())

    async def _meanwhile(self, asking: Awaitable[T], turn: Turn) -> T | Verdict:
        """What the provider says, once the stages that are checked alongside allow it; or the verdict that does not."""
        kinds = self.exchange.policy.alongside
        if not kinds:
            return await unless_hung_up(self.request, asking)
        asked = asyncio.ensure_future(asking)
        try:
            _, refused = await unless_hung_up(self.request, self.exchange.check_each(turn, kinds))
            return refused or await unless_hung_up(self.request, asked)
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _answered(self, answer: Body, turn: Turn) -> Body:
        """The provider's whole answer as the caller may have it."""
        turn = self.wire.read_answer(answer, turn)
        self.exchange.unread_output.update(self.wire.unread_answer(answer))
        turn = replace(turn, unread_output=tuple(self.exchange.unread_output))
        turn, refused = await self.exchange.check_each(turn, ANSWERED)
        if refused is not None:
            return self.wire.override(self.body, refused.text, answer)
        placeholders, signed = self.exchange.placeholders, self.wire.signed(answer)
        output = [text if n in signed else placeholders.restore(text) for n, text in enumerate(turn.output)]
        arguments = [placeholders.restore_call(call.arguments) for call in turn.tool_calls]
        return self.wire.write_answer(answer, output, arguments)

    async def _refused(self, body: Body, turn: Turn) -> Body:
        """What a provider says of a request that it refuses, as the caller may have it."""
        said = list(texts(body))
        asked = replace(turn, output=tuple(holder[key] for _, holder, key in said))
        after, refused = await self.exchange.check_each(asked, ("output",))
        if refused is not None:
            return self.wire.error(Filtered(refused.text))
        for (_, holder, key), text in zip(said, after.output, strict=True):
            holder[key] = self.exchange.placeholders.restore(text)
        return body

    def _overridden(self, refused: Verdict) -> Response:
        """The answer to a request that was refused."""
        reply = refused.text
        headers = guard_headers(self.exchange)
        if not self.wire.streams(self.body):
            try:
                return Json(self.wire.override(self.body, reply), headers=headers)
            except Filtered as error:
                return Json(self.wire.error(error), error.status, headers)
        streaming = self.wire.streaming(self.body)
        content = b"".join((*map(streaming.encode, streaming.override(reply)), streaming.end))
        return Response(content, headers=headers, media_type="text/event-stream")

    async def _streamed(self, turn: Turn) -> Response:
        """The streamed answer. The provider is heard before the response starts: its errors keep their status."""
        events = self.upstream.stream(self.wire.path, self.body, self.request.headers)
        try:
            first = await self._meanwhile(anext(events, None), turn)
        except BaseException:
            await events.aclose()
            raise
        if isinstance(first, Verdict):
            await events.aclose()
            return self._overridden(first)
        streaming, settings = self.wire.streaming(self.body), self.settings
        heard = _chained(() if first is None else (first,), events)
        sizes = {"window": settings.window, "overlap": settings.overlap, "limit": settings.max_answer}
        released = guarded(streaming, self.exchange, turn, heard, **sizes)

        async def sent() -> AsyncGenerator[bytes]:
            try:
                async for content in self._encoded(streaming, released):
                    yield content
            finally:
                await released.aclose()
                await events.aclose()

        headers = {**self._answered_by(), **STREAM}
        return StreamingResponse(sent(), headers=headers, media_type="text/event-stream")

    def _answered_by(self) -> dict[str, str]:
        """The headers of an answer that a provider gave."""
        by = {"x-guard-upstream": quote(self.target.name, ":/")}
        return {**guard_headers(self.exchange), **by, **self.request.state.tried.headers()}

    async def _encoded(self, streaming: Streaming, released: AsyncIterator[Body]) -> AsyncGenerator[bytes]:
        try:
            async for event in released:
                yield streaming.encode(event)
            yield sse.comment(summary(self.exchange))
            yield streaming.end
        except (UpstreamError, Overloaded) as error:
            # The status has left already.
            for event in streaming.broken(error):
                yield streaming.encode(event)


async def _chained(first: Iterable[Body], rest: AsyncIterator[Body]) -> AsyncGenerator[Body]:
    for event in first:
        yield event
    async for event in rest:
        yield event
