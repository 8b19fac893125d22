"""Errors as central answers them: in the shape that the proxy's have too."""

from __future__ import annotations

import logging
import math
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from guard.errors import Busy, GuardError, PolicyError, StoreError

log = logging.getLogger(__name__)


def problem(status: int, message: str, code: str, param: str | None = None) -> JSONResponse:
    """An error's answer."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    content = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(content, status)


def refusal(error: GuardError) -> JSONResponse:
    """The answer to what Guard refuses on purpose."""
    if isinstance(error, PolicyError):
        return problem(422, str(error), "invalid_policy")
    if isinstance(error, StoreError):
        log.error("%s", error)
        return problem(503, "central's database does not work now; try again later", "unavailable")
    status = getattr(error, "status", 500)
    response = problem(status, str(error), getattr(error, "code", "guard_error"), getattr(error, "param", None))
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    if isinstance(error, Busy):
        response.headers["retry-after"] = str(math.ceil(error.retry_after))
    return response


async def guard_error(request: Request, error: Exception) -> JSONResponse:
    """For errors of Guard's own."""
    assert isinstance(error, GuardError)
    return refusal(error)


async def invalid(request: Request, error: Exception) -> JSONResponse:
    """For bodies, paths and queries that are not understood. What was sent is not repeated: it may be a secret."""
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:] if step != "body") or None
    message = str(first["msg"]).removeprefix("Value error, ")
    return problem(422, f"{where or first['loc'][0]}: {message}", "invalid", where)


async def http_error(request: Request, error: Exception) -> JSONResponse:
    """For routes and methods that are not there, and bodies that cannot be parsed."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    response = problem(error.status_code, f"{request.method} {request.url.path}: {error.detail}", code)
    response.headers.update(error.headers or {})
    return response


async def bug(request: Request, error: Exception) -> JSONResponse:
    """An error nobody foresaw: the log has it, the caller learns nothing of our inside."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "central failed on this request", "guard_error")
