"""What OpenAI's protocols have in common: errors, and the fields that say whose request it is."""

from __future__ import annotations

from collections.abc import Sequence

from guard.errors import BadRequest, Busy, GuardError, TooLarge, UpstreamError
from guard.proxy.wire.leaves import Body

#: Our label → the request's fields for it, the first one set counts.
LABEL_FIELDS = {"user": ("safety_identifier", "user"), "session": ("prompt_cache_key",)}


def validate_model(body: Body) -> None:
    """Refuse a body without a model's name, or with a `stream` that is no boolean. Raises BadRequest."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise BadRequest("'model' must be the name of a model", param="model")
    if not isinstance(body.get("stream", False), (bool, type(None))):
        raise BadRequest("'stream' must be true or false", param="stream")


def validate_texts(body: Body, field: str, limit: int) -> None:
    """Refuse a field that is no text and no array of texts. Raises BadRequest, or TooLarge past `limit` texts."""
    given = body.get(field)
    if isinstance(given, str):
        return
    if not isinstance(given, list) or not given:
        raise BadRequest(f"'{field}' must be a string or an array of strings", param=field)
    if len(given) > limit:
        raise TooLarge(f"{len(given):,} texts are more than {limit:,}", param=field)
    if not all(isinstance(text, str) for text in given):
        # Only the model's own tokeniser could tell what they say.
        raise BadRequest(f"'{field}' must hold text: tokens cannot be read; send the strings themselves", param=field)


def texts_of(body: Body, field: str) -> tuple[str, ...]:
    """The texts of such a field."""
    given = body[field]
    return (given,) if isinstance(given, str) else tuple(given)


def with_texts(body: Body, field: str, texts: Sequence[str]) -> Body:
    """The body with other texts in such a field."""
    return {**body, field: texts[0] if isinstance(body[field], str) else list(texts)}


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
