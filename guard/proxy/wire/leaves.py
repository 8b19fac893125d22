"""Where the texts of an answer stand: every string of a message, or of a stream's delta, that is not structure.

Providers add fields of their own (reasoning under three names, lists of typed parts, transcripts, citations), and each
may say what the content may not. So what is read is not a list of known fields but all that is not known to be no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from guard.errors import UpstreamError

Body = dict[str, Any]
Path = tuple[str | int, ...]

#: Fields that hold no text: kinds, names and ids, and data that only machines read.
STRUCTURE = frozenset(
    {"role", "id", "type", "index", "name", "object", "status", "format", "data", "signature", "thought_signature"}
    | {"encrypted_content"}
)
#: Calls are read as calls; what is none of a call's arguments is a text.
CALLS = ("tool_calls", "function_call")
MAX_DEPTH = 20
#: Under `url` it is a picture or a sound that the model made, of any size; elsewhere any text may begin with "data:".
_MEDIA = re.compile(r"data:(?:image|audio|video)/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]*")


def texts(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any, str | int]]:
    """Each text below a message or delta: its path, and the object or array and the key that hold it.

    Raises UpstreamError for what is nested too deeply to be read.
    """
    if len(path) > MAX_DEPTH:
        raise UpstreamError(f"the provider's answer is nested more than {MAX_DEPTH} deep")
    if not isinstance(node, (dict, list)):
        return
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, str):
            if value and key not in STRUCTURE and not (key == "url" and _MEDIA.fullmatch(value)):
                yield (*path, key), node, key
        elif path or key not in CALLS:
            yield from texts(value, (*path, key))
        else:
            read = [(id(holder), name) for _, holder, name in arguments(node)] if isinstance(node, dict) else []
            found = texts(value, (*path, key))
            yield from (one for one in found if (id(one[1]), one[2]) not in read)


def arguments(message: Body) -> Iterator[tuple[int, Body, str]]:
    """Each call of a message or delta: its number, and the object and key that hold its arguments.

    A function's arguments are JSON, a custom tool's input is free text; -1 is the one call of the older form. The key
    may be missing in a delta.
    """
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict):
            index = call.get("index")
            for kind, key in (("function", "arguments"), ("custom", "input")):
                if isinstance(call.get(kind), dict):
                    yield index if isinstance(index, int) else number, call[kind], key
    if isinstance(message.get("function_call"), dict):
        yield -1, message["function_call"], "arguments"
