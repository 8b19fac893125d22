"""What requests may take: bytes of a body, and how often one key may ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.central.answer import refusal
from guard.errors import RateLimited, TooLarge

#: Keys whose pace is remembered.
KEPT = 10_000


class Limiter:
    """A bucket for each key: `burst` requests at once, `rate` a second in the long run; a rate of 0 asks nothing."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count a request. Raises RateLimited where the key asks too often."""
        if not self._rate:
            return
        now = self._clock()
        left, at = self._left.pop(key, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._rate)
        self._left[key] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > KEPT:
            self._left.popitem(last=False)
        if left < 1:
            seconds = (1 - left) / self._rate
            raise RateLimited(f"this key asks more than {self._rate:g} times a second", retry_after=seconds)


class WholeBody:
    """Reads a request's body before it is looked at, and refuses one of more than `limit` bytes unread."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body in one piece."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                await refusal(TooLarge(f"the body is larger than {self._limit:,} bytes"))(scope, receive, send)
                return
        given = False

        async def whole() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, whole, send)
