"""What OpenAI's protocols have in common: errors, and the fields that say whose request it is."""

from __future__ import annotations

from guard.errors import BadRequest, Busy, GuardError, UpstreamError
from guard.proxy.wire.leaves import Body

#: Our label → the request's fields for it, the first one set counts.
LABEL_FIELDS = {"user": ("safety_identifier", "user"), "session": ("prompt_cache_key",)}


def validate_model(body: Body) -> None:
    """Refuse a body without a model's name, or with a `stream` that is no boolean. Raises BadRequest."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise BadRequest("'model' must be the name of a model", param="model")
    if not isinstance(body.get("stream", False), (bool, type(None))):
        raise BadRequest("'stream' must be true or false", param="stream")


def labels(body: Body) -> dict[str, str]:
    """The labels that a request carries in OpenAI's own fields."""
    found = {}
    for label, fields in LABEL_FIELDS.items():
        value = next((body[name] for name in fields if isinstance(body.get(name), str) and body[name]), None)
        if value:
            found[label] = value[:200]
    return found


def error(error: GuardError) -> Body:
    """An error in OpenAI's shape."""
    param = None
    if isinstance(error, BadRequest):
        kind, code, param = _kind(error), error.code, error.param
    elif isinstance(error, UpstreamError):
        kind, code = "upstream_error", error.code
    elif isinstance(error, Busy):
        kind, code = "rate_limit_error" if error.status == 429 else "server_error", error.code
    else:
        kind, code = "server_error", "guard_error"
    return {"error": {"message": str(error), "type": kind, "param": param, "code": code}}


def _kind(error: BadRequest) -> str:
    return "authentication_error" if error.status == 401 else "invalid_request_error"
