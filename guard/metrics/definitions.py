"""The texts of tool definitions: all that the model is told of the tools that it may call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: A type as schemas and protocols name them.
_TYPE = re.compile(r"[a-z0-9_]{1,40}")
#: What a definition of an MCP server holds for the provider only.
_SECRETS = frozenset({"authorization", "headers"})


def texts_of(tools: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """The object or array and the key of each text: names, descriptions, and every string of the parameters' schemas.

    Whoever wrote a tool may have hidden orders anywhere in it.
    """
    waiting: list[Any] = list(reversed(tools))
    while waiting:
        node = waiting.pop()
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if key in _SECRETS and node.get("type") == "mcp":
                continue
            if isinstance(value, (dict, list)):
                waiting.append(value)
            elif isinstance(value, str) and value and not (key == "type" and _TYPE.fullmatch(value)):
                yield node, key
