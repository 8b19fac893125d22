"""What a server of Guard's refuses, as the error that it raised there."""

from __future__ import annotations

from typing import Any

import httpx

from guard.errors import (
    BadRequest,
    Busy,
    Conflict,
    Forbidden,
    GuardError,
    Invalid,
    NoPolicy,
    NotFound,
    PolicyError,
    RateLimited,
    ServerError,
    TooLarge,
    Unauthorised,
)

_BY_CODE: dict[str, Any] = {
    kind.code: kind for kind in (Conflict, Forbidden, Invalid, NoPolicy, NotFound, TooLarge, Unauthorised)
}
_BY_STATUS: dict[int, Any] = {
    kind.status: kind for kind in (Conflict, Forbidden, Invalid, NotFound, TooLarge, Unauthorised)
}
#: Seconds after which to come back, where a server that is busy does not say.
_LATER = 1.0


def refusal(response: httpx.Response) -> GuardError:
    """The error that an answer stands for, with the server's own words."""
    status, (message, code, param) = response.status_code, _said(response)
    if code == "invalid_policy":
        return PolicyError(*message.split("\n"))
    if status == 429:
        return RateLimited(message, retry_after=retry_after(response) or _LATER)
    if status == 503:
        return Busy(message, retry_after=retry_after(response) or _LATER)
    if status >= 500 or status < 400:
        return ServerError(message, status)
    return (_BY_CODE.get(code) or _BY_STATUS.get(status) or BadRequest)(message, param=param)


def retry_after(response: httpx.Response) -> float | None:
    """The seconds that a server asks to wait, if it does."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _said(response: httpx.Response) -> tuple[str, str, str | None]:
    """Message, code and param."""
    try:
        error = response.json()["error"]
        return str(error["message"]), str(error.get("code")), error.get("param")
    except (ValueError, KeyError, TypeError, AttributeError):
        # No server of Guard's speaks so: a gateway before it, or another server altogether.
        where = response.url.copy_with(userinfo=b"", query=None)
        return f"{where} answered {response.status_code}; is it Guard's address?", "", None
