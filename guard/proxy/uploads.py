"""Requests' bodies, taken in before a request gets a place: who sends by drops holds up nobody but a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import GuardError, TooLarge, TooSlow
from guard.proxy.admission import ADMITTED, Admission
from guard.proxy.body import BODY
from guard.proxy.proxy import CALLER, GONE, proxy_of
from guard.settings import Settings


class Uploads:
    """Finds out who is calling, then takes in the whole body. `refuse` makes the answer where either fails."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, GuardError], Awaitable[Response]]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request once its body is there."""
        if scope["type"] != "http" or not scope["path"].startswith(ADMITTED):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            proxy = proxy_of(request)
            proxy.admission.expect()
            scope[CALLER] = proxy.keys.caller(request)
            body = await _taken_in(request, receive, proxy.admission, proxy.settings)
        except GuardError as error:
            response = await self._refuse(request, error)
            await response(scope, receive, send)
            return
        if body is None:
            await Response(status_code=GONE)(scope, receive, send)
            return
        scope[BODY] = body
        await self._app(scope, receive, send)


async def _taken_in(request: Request, receive: Receive, admission: Admission, settings: Settings) -> bytes | None:
    """The whole body; None where its sender went away. Raises TooLarge, TooSlow or Overloaded."""
    too_large = f"the body is larger than {settings.max_body:,} bytes; send less, or raise max_body"
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > settings.max_body:
        raise TooLarge(too_large)
    content, waited_for = bytearray(), False
    timer = asyncio.timeout(settings.body_timeout)
    try:
        async with timer:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                piece, more = message.get("body", b""), message.get("more_body", False)
                if len(content) + len(piece) > settings.max_body:
                    raise TooLarge(too_large)
                if not more and not content:
                    return piece
                content += piece
                if not more:
                    return bytes(content)
                # Most bodies come in one piece, and are never among those that are waited for.
                if not waited_for:
                    admission.add_upload()
                    waited_for = True
    except TimeoutError:
        if not timer.expired():
            raise
        slow = f"the body did not come within {settings.body_timeout:g} seconds; send it faster, or raise body_timeout"
        raise TooSlow(slow) from None
    finally:
        if waited_for:
            admission.uploads -= 1
