"""Routes whose errors another product's clients can read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from guard.central import answer
from guard.errors import GuardError

#: Headers of an error that any client may act on.
_KEPT = ("retry-after", "www-authenticate")


class CompatRoute(APIRoute):
    """A route that answers central's errors in another shape."""

    @staticmethod
    def told(response: JSONResponse) -> JSONResponse:
        """The error that central would answer, as those clients read it."""
        raise NotImplementedError

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with errors answered."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                refused = await answer.invalid(request, error)
            except GuardError as error:
                refused = answer.refusal(error)
            told = self.told(refused)
            for name in _KEPT:
                if name in refused.headers:
                    told.headers[name] = refused.headers[name]
            return told

        return answered
