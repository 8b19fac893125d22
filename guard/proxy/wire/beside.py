"""The texts of a request that stand beside those that everybody looks at: in odd parts, odd fields, and documents.

Providers put more before the model than a message's text: vLLM takes the `refusal` or the `thinking` of a part for
text, chat templates show a user's `name` and every field of a document. So all is read that is not known to be no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from guard.errors import BadRequest
from guard.metrics.turn import MODEL_ROLES, TOOL_ROLES, TRUSTED_ROLES, is_text_part, unread_kind
from guard.proxy.wire.leaves import MAX_DEPTH, Body

#: Kinds and ids, as long as they look like it.
_LABELS = frozenset({"id", "type", "object", "role", "tool_call_id"})
_TOKEN = re.compile(r"[\w.:/-]{1,80}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
#: Messages and parts that have nothing else are the most there are.
_PLAIN, _PLAIN_PART = frozenset({"role", "content", "tool_call_id"}), frozenset({"type", "text"})


def beside(message: Body) -> Iterator[tuple[Any, str | int]]:
    """What holds each text of a chat message beside its content, and the key; none of the app's own and the model's.

    Raises BadRequest for what is nested too deeply to be read.
    """
    role, content = message["role"], message.get("content")
    if role in MODEL_ROLES | TRUSTED_ROLES:
        return
    if isinstance(content, list):
        for part in content:
            if part.keys() != _PLAIN_PART:
                yield from _of_part(part)
    for key in message if message.keys() - _PLAIN else ():
        tools_name = key == "name" and role in TOOL_ROLES and _is_token(message[key])
        if key != "content" and not tools_name:
            yield from _at(message, key, 0)


def every(holder: Body, key: str) -> Iterator[tuple[Any, str | int]]:
    """What holds each text at or below a field, and the key. Raises BadRequest for what is nested too deeply."""
    if key in holder:
        yield from _at(holder, key, 0)


def _of_part(part: Body) -> Iterator[tuple[Any, str | int]]:
    media = unread_kind(part["type"]) != "other"
    for key in part:
        if key == "text" and is_text_part(part):
            continue
        found = _at(part, key, 0)
        # Of media only the name is text.
        yield from (one for one in found if one[1] == "filename") if media else found


def _at(holder: Any, key: str | int, depth: int) -> Iterator[tuple[Any, str | int]]:
    value = holder[key]
    if depth > MAX_DEPTH:
        raise BadRequest(f"what is nested more than {MAX_DEPTH} deep cannot be read; send it flatter")
    if isinstance(value, str):
        if value and not (key in _LABELS and _is_token(value)) and not (key == "data" and _BASE64.fullmatch(value)):
            yield holder, key
    elif isinstance(value, (dict, list)):
        for one in value if isinstance(value, dict) else range(len(value)):
            yield from _at(value, one, depth + 1)


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None
