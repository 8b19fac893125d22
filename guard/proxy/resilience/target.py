"""One place to get an answer from: a provider with its breaker and retries, and the model to ask for there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import aiohttp

from guard.errors import Cause, UpstreamAway, UpstreamError, UpstreamTimeout
from guard.proxy.resilience.breaker import Breaker
from guard.proxy.resilience.retries import Retries
from guard.proxy.resilience.tried import Tried
from guard.proxy.upstream import HttpUpstream, Upstream, seconds_of

T = TypeVar("T")
Json = dict[str, Any]

#: What a provider says of itself rather than of the request, though its status is one for the caller's mistakes.
NOT_THE_CALLERS = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Target:
    """`model` is asked for there, by default the caller's; it stands in for models that match one of `models`."""

    name: str
    upstream: Upstream
    breaker: Breaker
    retries: Retries
    model: str | None = None
    models: tuple[str, ...] = ("*",)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def stands_in_for(self, model: str) -> bool:
        """Whether it may answer what that model was asked."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def until(self, deadline: float, tried: Tried | None = None) -> Persistent:
        """It as an upstream for one request, which is answered before `deadline` on its clock or not at all.

        `tried` is told of every call.
        """
        return Persistent(self, deadline, tried or Tried())


class Persistent:
    """An upstream for one request, that asks again where that is safe and there is time.

    Whatever is asked again has given nothing to anybody: of a stream not one event has been passed on.
    """

    def __init__(self, target: Target, deadline: float, tried: Tried) -> None:
        self._target = target
        self._deadline = deadline
        self._tried = tried

    async def complete(self, path: str, body: Json, headers: Mapping[str, str]) -> Json:
        """The whole answer. Raises UpstreamError."""
        upstream = self._target.upstream
        return await self._insisting(lambda: upstream.complete(path, body, headers))

    async def stream(self, path: str, body: Json, headers: Mapping[str, str]) -> AsyncGenerator[Json]:
        """The answer's events. Raises UpstreamError."""

        async def heard() -> tuple[AsyncGenerator[Json], Json | None]:
            events = self._target.upstream.stream(path, body, headers)
            try:
                return events, await anext(events, None)
            except BaseException:
                await events.aclose()
                raise

        events, first = await self._insisting(heard)
        try:
            if first is not None:
                yield first
            async for event in events:
                if self._target.clock() >= self._deadline:
                    # Whoever asks for an endless answer gets one: that is no failure of the provider.
                    raise _too_late("")
                yield event
        except UpstreamError as error:
            self._target.breaker.leave(False, is_failure(error))
            raise
        finally:
            await events.aclose()

    async def get(self, path: str, headers: Mapping[str, str]) -> Json:
        """What the provider answers to a GET. Raises UpstreamError."""
        return await self._insisting(lambda: self._target.upstream.get(path, headers))

    @asynccontextmanager
    async def forward(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, AsyncIterator[bytes]]]:
        """The provider's response to a call that nobody reads, whatever its status, and its body piece by piece.

        One that tells of a failure is asked for again as any call is, and the last one is what the caller gets. Raises
        UpstreamError.
        """
        upstream = self._target.upstream
        assert isinstance(upstream, HttpUpstream)
        async with AsyncExitStack() as last:

            async def heard() -> aiohttp.ClientResponse:
                await last.aclose()
                response = await last.enter_async_context(upstream.forward(method, path, headers, content))
                if response.status >= 500 or response.status in NOT_THE_CALLERS:
                    raise Unwell(response)
                return response

            try:
                response = await self._insisting(heard)
            except Unwell as error:
                response = error.response
            yield response, self._pieces(response)

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        async for piece in response.content.iter_any():
            if self._target.clock() >= self._deadline:
                raise _too_late("")
            yield piece

    async def aclose(self) -> None:
        """Nothing: the provider is the target's."""

    async def _insisting(self, ask: Callable[[], Awaitable[T]]) -> T:
        target, made = self._target, 0
        target.retries.called()
        while True:
            try:
                return await self._once(ask)
            except UpstreamError as error:
                error.retries = made
                wait = target.retries.wait(error, made)
                if wait is None or target.clock() + wait >= self._deadline:
                    raise
            made += 1
            await target.sleep(wait)

    async def _once(self, ask: Callable[[], Awaitable[T]]) -> T:
        target = self._target
        timer = asyncio.timeout(self._deadline - target.clock())
        try:
            trial, failed = target.breaker.enter(), None
        except UpstreamAway as error:
            self._tried.note(target, error)
            raise
        try:
            async with timer:
                result = await ask()
            failed = False
            self._tried.note(target)
            return result
        except UpstreamError as error:
            failed = is_failure(error)
            self._tried.note(target, error)
            raise
        except TimeoutError:
            failed = timer.expired()
            late = _too_late("timeout")
            self._tried.note(target, late)
            raise late from None
        finally:
            target.breaker.leave(trial, failed)


class Unwell(UpstreamError):
    """A response to a call that nobody reads, whose status says that the provider did not do the work."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        wait = seconds_of(response.headers)
        super().__init__(f"the provider answered with {response.status}", said=response.status, retry_after=wait)


def is_failure(error: UpstreamError) -> bool:
    """Whether an error tells that the provider is not well; an answer that refuses this one call does not."""
    return error.cause in ("connect", "disconnect", "timeout") or (error.said or 0) >= 500


def _too_late(cause: Cause) -> UpstreamTimeout:
    return UpstreamTimeout("the provider did not answer in time; try again, or raise deadline", cause=cause)
