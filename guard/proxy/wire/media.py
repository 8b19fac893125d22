"""What of an answer is no text: pictures, sound, video and files that a model, or a tool of the provider's, made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from guard.metrics.turn import media_kind
from guard.proxy.wire.leaves import MAX_DEPTH, Body, Path

#: Names of the objects and fields that hold it where no type says so. Audio of chats is an object without one.
_HELD = {"audio": "audio", "b64_json": "image", "partial_image_b64": "image", "file_data": "file"}
#: A picture, a sound or a file in the place of an address.
_URL = re.compile(r"data:(image|audio|video|application)/[A-Za-z0-9.+-]+;base64,")
_ADDRESSES = frozenset({"url", "image_url", "file_url"})
#: Types that Anthropic's and OpenAI's sandboxes give the files by that they made.
_FILES = ("code_execution_output", "container_file_citation")


def media(node: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Each part at or below an answer, a delta or an event that is no text: its path, and its kind as coverage has it.

    What is only there to be sent back is none: encrypted reasoning.
    """
    if len(path) > MAX_DEPTH + 1:  # nobody reads so deep: the answer is refused
        return
    if isinstance(node, dict):
        kind = _kind(node)
        if kind:
            yield path, kind
            return
        for key, value in node.items():
            if isinstance(value, str):
                if value and (kind := _held(node, key, value, path)):
                    yield path, kind
            elif isinstance(value, (dict, list)):
                yield from media(value, (*path, key))
    elif isinstance(node, list):
        for number, one in enumerate(node):
            if isinstance(one, (dict, list)):
                yield from media(one, (*path, number))


def _kind(node: Body) -> str | None:
    """The kind that an object's type tells."""
    name = node.get("type")
    if not isinstance(name, str):
        return None
    if name.endswith(_FILES):
        return "file" if node.get("file_id") else None
    # Of documents some are text: what they hold tells.
    return None if name == "document" else media_kind(name)


def _held(node: Body, key: str, value: str, path: Path) -> str | None:
    """The kind of what a field holds, if it is no text."""
    if key in _HELD:
        return _HELD[key]
    if key in _ADDRESSES:
        found = _URL.match(value)
        return None if found is None else {"application": "file"}.get(found[1], found[1])
    if key != "data":
        return None
    name = str(node.get("type") or "")
    if name == "text" or name.endswith("encrypted") or name.startswith("redacted"):
        return None
    said = str(node.get("media_type") or "").partition("/")[0]
    if said in ("image", "audio", "video"):
        return said
    return next((_HELD[str(one)] for one in reversed(path) if one in _HELD), "file" if name == "base64" else "other")
