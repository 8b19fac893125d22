"""Requests read within bounds, and the answers that tell what was wrong with them."""

from __future__ import annotations

import math
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from guard.errors import BadRequest, Busy, GuardError, RateLimited, TooSlow, UpstreamError

#: Seconds beyond which some clients ignore what they are told to wait, and ask again at once.
CLIENTS_WAIT = 60.0
#: Where a request's scope keeps its body.
BODY = "guard.body"


class Json(Response):
    """A JSON response, written by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return orjson.dumps(content)


def body_of(request: Request) -> bytes:
    """The request's whole body, which uploads.py took in. It is given once, so that nobody keeps it for longer."""
    return request.scope.pop(BODY)


def json_of(request: Request) -> dict[str, Any]:
    """The JSON object that is the request's body. Raises BadRequest."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadRequest("compressed bodies are not taken; send the JSON plainly")
    try:
        body = orjson.loads(body_of(request))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest(f"the body must be a JSON object, not {_kind(body)}")
    return body


def dump(body: object) -> bytes:
    """A body as it is sent on. Raises BadRequest where it is nested too deeply to be written again."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise BadRequest(f"the body cannot be passed on: {error}") from None


def status_of(error: GuardError) -> int:
    """The status of a response that tells of an error of ours."""
    return error.status if isinstance(error, (BadRequest, Busy, UpstreamError)) else 500


def headers_of(error: GuardError) -> dict[str, str]:
    """The headers that tell a client whether and when to ask again."""
    headers = dict(error.headers) if isinstance(error, RateLimited) else {}
    if isinstance(error, TooSlow):
        # What else it sends would be taken for its next request.
        headers["connection"] = "close"
    if isinstance(error, UpstreamError) and error.retries:
        # OpenAI's and Anthropic's clients obey: Guard's retries times theirs would be too many.
        headers["x-should-retry"] = "false"
    if isinstance(error, (Busy, UpstreamError)) and error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
        if error.retry_after > CLIENTS_WAIT:
            headers["x-should-retry"] = "false"
    return headers


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
