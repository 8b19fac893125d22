"""Headers that say once more what the body says, since MCP 2026-07-28: so that gateways can route without reading it.

Guard reads the body, so it holds them to it: what a header said beside it would leave unread, and what was redacted
in the body would stay in the header.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from guard.proxy.mcp.message import HeaderMismatch, Message
from guard.proxy.mcp.methods import CALL, NAMED

METHOD, NAME, PARAM = "mcp-method", "mcp-name", "mcp-param-"
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")


def mirrored(headers: Mapping[str, str], before: Message, after: Message) -> dict[str, str]:
    """The mirroring headers of a client's message `before`, as they are for the message `after`.

    Raises HeaderMismatch where one of them says what the body does not.
    """
    result: dict[str, str] = {}
    for header, value in headers.items():
        if header in (METHOD, NAME) or header.startswith(PARAM):
            found = {old: new for old, new in _pairs(header, before, after) if old == _decoded(value)}
            if not found:
                raise HeaderMismatch(f"the header {header} says something else than the body", param=header)
            result[header] = _encoded(found[_decoded(value) or ""])
    return result


def _pairs(header: str, before: Message, after: Message) -> Iterator[tuple[str, str]]:
    """What a header may say by the one message, and what it says by the other."""
    old, new = before.get("params", {}), after.get("params", {})
    method = before.get("method", "")
    if header == METHOD:
        yield method, method
    elif header == NAME:
        name = NAMED.get(method, "")
        yield str(old.get(name, "")), str(new.get(name, ""))
    elif method == CALL:
        yield from _leaves(old.get("arguments"), new.get("arguments"))


def _leaves(old: Any, new: Any) -> Iterator[tuple[str, str]]:
    """The values that stand in both arguments, under `properties` only, as headers write them."""
    if isinstance(old, dict):
        for name, value in old.items():
            yield from _leaves(value, new.get(name) if isinstance(new, dict) else None)
    elif isinstance(old, (str, int, float)):
        yield _written(old), _written(new)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decoded(value: str) -> str | None:
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value
    try:
        return base64.b64decode(encoded[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _encoded(text: str) -> str:
    if text.isascii() and text.isprintable() and text == text.strip() and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="
