"""What Anthropic's protocols have in common: errors, the shape of a request, and whose it is."""

from __future__ import annotations

from guard.errors import BadRequest, GuardError, TooLarge, UpstreamError
from guard.proxy.body import status_of
from guard.proxy.wire.blocks import texts
from guard.proxy.wire.leaves import Body

#: Anthropic's names for kinds of errors, by status.
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error(error: GuardError) -> Body:
    """An error in Anthropic's shape."""
    return {"type": "error", "error": {"type": KINDS.get(status_of(error), "api_error"), "message": str(error)}}


def labels(body: Body) -> dict[str, str]:
    """The user whom the request names, as a label."""
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return {"user": user[:200]} if isinstance(user, str) and user else {}


def validate(body: Body, max_messages: int) -> None:
    """Refuse a body whose shape is not understood. Raises BadRequest that names the field, or TooLarge."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise BadRequest("'model' must be the name of a model", param="model")
    if not isinstance(body.get("stream", False), (bool, type(None))):
        raise BadRequest("'stream' must be true or false", param="stream")
    if body.get("system") is not None:
        _validate_content(body["system"], "system")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be an array with at least one message", param="messages")
    if len(messages) > max_messages:
        raise TooLarge(f"{len(messages):,} messages are more than {max_messages:,}", param="messages")
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict):
            raise BadRequest(f"'{where}' must be an object", param=where)
        if not isinstance(message.get("role"), str):
            raise BadRequest(f"'{where}.role' must be a string", param=f"{where}.role")
        _validate_content(message.get("content"), f"{where}.content")


def _validate_content(content: object, where: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise BadRequest(f"'{where}' must be a string or an array of blocks", param=where)
    for place, block in enumerate(content):
        name = f"{where}[{place}]"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise BadRequest(f"'{name}' must be an object with a type", param=name)
        if block["type"] == "text" and not isinstance(block.get("text"), str):
            raise BadRequest(f"'{name}.text' must be a string", param=f"{name}.text")
        try:
            for _ in texts(block):
                pass
        except UpstreamError:
            raise BadRequest(f"'{name}' is nested too deeply to be read", param=name) from None
