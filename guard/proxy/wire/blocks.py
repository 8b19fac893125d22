"""Where the texts of Anthropic's protocol stand, in requests, answers and events: every string but structure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from guard.errors import UpstreamError
from guard.proxy.wire.leaves import MAX_DEPTH, Body, Path
from guard.proxy.wire.wire import Place
from guard.stages.placeholders import PLACEHOLDER

#: Fields that hold no text: kinds, names and ids, and what only machines read.
STRUCTURE = frozenset(
    {"type", "id", "role", "name", "tool_name", "toolset_name", "tool_use_id", "file_id", "media_type", "signature"}
    | {"model", "stop_reason", "stop_sequence"}
)
#: Objects that hold none.
MACHINES = frozenset({"cache_control", "caller", "usage", "container"})
#: Stands for the signature of a thinking block that Guard changed: the provider's own would not hold any more.
CHANGED = "changed-by-guard"

#: A string, which may be cut off, or what stands bare.
_TOKEN = re.compile(rf'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|(?:{PLACEHOLDER.pattern}|[^\s,:{{}}\[\]"])+', re.DOTALL)
_SCALAR = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


def texts(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any, str | int]]:
    """Each text below an object or array: its path, and what holds it, and under which key.

    What a tool is given comes as the object that it is. Raises UpstreamError for what is nested too deeply to be read.
    """
    if len(path) > MAX_DEPTH:
        raise UpstreamError(f"the provider's answer is nested more than {MAX_DEPTH} deep")
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, str):
            if value and not _structure(node, key):
                yield (*path, key), node, key
        elif isinstance(value, dict) and key == "input" and is_call(node):
            yield (*path, key), node, key
        elif isinstance(value, (dict, list)) and key not in MACHINES:
            yield from texts(value, (*path, key))


def _structure(node: Any, key: str | int) -> bool:
    """Whether a string is no text. `data` is one in a text source only; what a `url` source names is not read here."""
    if key == "data":
        return node.get("type") != "text"
    if key == "url":
        return node.get("type") == "url"
    return key in STRUCTURE or str(key).startswith("encrypted_")


def is_call(block: Any) -> bool:
    """Whether a block is a call of a tool, the app's or the provider's own."""
    return isinstance(block, dict) and str(block.get("type")).endswith("tool_use")


def is_result(block: Body) -> bool:
    """Whether a block is what a tool gave."""
    return str(block.get("type")).endswith("tool_result")


def is_thought(holder: Any, key: str | int) -> bool:
    """Whether a text is what the model thought, which the provider signs."""
    return key == "thinking" and holder.get("type") in ("thinking", "thinking_delta")


@dataclass(frozen=True, slots=True)
class Given(Place):
    """What a tool is given, as JSON text."""

    @property
    def value(self) -> str:
        """The JSON text."""
        return written(self.holder[self.key])

    def write(self, text: str) -> None:
        """Put in the object that a JSON text stands for."""
        if text != self.value:
            self.holder[self.key] = parsed(text)


@dataclass(frozen=True, slots=True)
class GivenPart(Place):
    """A part of that text in a stream."""

    def write(self, text: str) -> None:
        """Put in the whole text, or nothing where the whole stands elsewhere."""
        if text != self.value:
            self.holder[self.key] = mended(text)


def written(given: object) -> str:
    """What a call is given, as JSON text. Raises UpstreamError where it is nested too deeply."""
    try:
        return orjson.dumps(given).decode()
    except orjson.JSONEncodeError as error:
        raise UpstreamError(f"what a tool is given cannot be written: {error}") from None


def mended(text: str) -> str:
    """A JSON text in which a number or such, of which something was redacted, is a string."""
    return _TOKEN.sub(lambda match: _mended(match[0]), text)


def parsed(text: str) -> Body:
    """What a call is given, from its JSON text. Raises UpstreamError where that is no JSON object any more."""
    try:
        given = orjson.loads(mended(text))
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise UpstreamError("what was redacted in a tool's input leaves no JSON object; redact its values only")
    return given


def _mended(token: str) -> str:
    return token if token[0] == '"' or _SCALAR.fullmatch(token) else json.dumps(token, ensure_ascii=False)
