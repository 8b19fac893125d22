"""The texts of a JSON value that nobody here knows the shape of: tools take and give what they like.

So every string is text, wherever it stands; so are keys that are more than plain names, and numbers that are long
enough to be somebody's. What is left out is the little of which it is known that it is none: a part's type, a date in
the field of the protocol's version. A text that stands in several places is one text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

#: What may stand in these fields without being read. Anything else there is text.
_VERSION = r"\d{4}-\d\d-\d\d"
_HARMLESS = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        "type": "text|image|audio|resource|resource_link|tool_use|tool_result|ref/prompt|ref/resource"
        "|object|array|string|number|integer|boolean|null",
        "role": "user|assistant",
        "mimeType": r"[\w.+-]{1,40}/[\w.+-]{1,80}(; ?charset=[\w-]{1,20})?",
        "protocolVersion": _VERSION,
        "supportedVersions": _VERSION,
        "supported": _VERSION,
        "requested": _VERSION,
        "resultType": "complete|input_required|task",
        "cacheScope": "public|private",
        "action": "accept|decline|cancel",
        "format": "[a-z]{1,10}(-[a-z]{1,10}){0,2}",
        "$schema": r"https?://json-schema\.org/[\w/.#-]{0,60}",
    }.items()
}
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z_$-]{0,40}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_MEDIA = re.compile(r"data:(image|audio|video)/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]*")
#: Whole numbers with so many digits are read: those of cards and accounts have more, counts and prices have fewer.
LONG_NUMBER = 10**6


class Read(NamedTuple):
    """What is in a value: its texts, each once, in the order met; and how many parts are no text, by kind."""

    texts: tuple[str, ...]
    unread: Counter[str]


def read(value: object) -> Read:
    """The texts of a JSON value."""
    found: dict[str, str] = {}
    walk = _Walk(lambda text: found.setdefault(text, text))
    walk.rewritten(value)
    return Read(tuple(found), walk.unread)


def rewrite(value: Any, change: Callable[[str], str] | Mapping[str, str]) -> Any:
    """The value with each text changed; a number that changes becomes a string."""
    return _Walk(change if callable(change) else lambda text: change.get(text, text)).rewritten(value)


class _Walk:
    def __init__(self, change: Callable[[str], str]) -> None:
        self.change = change
        self.unread: Counter[str] = Counter()

    def rewritten(self, node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            media = node["type"] if node.get("type") in ("image", "audio") else ""
            return {self._key(name): self._member(name, value, media) for name, value in node.items()}
        if isinstance(node, list):
            return [self.rewritten(item, key) for item in node]
        if isinstance(node, str):
            return self._text(node, key)
        if isinstance(node, int) and abs(node) >= LONG_NUMBER:
            written = self.change(str(node))
            return node if written == str(node) else written
        return node

    def _member(self, name: str, value: Any, media: str) -> Any:
        if isinstance(value, str):
            if name == "blob":
                return self._blob(value)
            if media and name == "data" and _BASE64.fullmatch(value):
                self.unread[media] += 1
                return value
            if found := _MEDIA.fullmatch(value):
                self.unread[found[1]] += 1
                return value
        return self.rewritten(value, name)

    def _text(self, text: str, key: str) -> str:
        harmless = _HARMLESS.get(key)
        return text if not text or (harmless and harmless.fullmatch(text)) else self.change(text)

    def _key(self, name: str) -> str:
        return name if _PLAIN_NAME.fullmatch(name) else self.change(name)

    def _blob(self, value: str) -> str:
        """Bytes in base64. Text in them is read: what a client decodes is as good as written plainly."""
        try:
            text = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            if not _BASE64.fullmatch(value):
                return self.change(value)
            self.unread["file"] += 1
            return value
        changed = self._text(text, "")
        return value if changed == text else base64.b64encode(changed.encode()).decode()
