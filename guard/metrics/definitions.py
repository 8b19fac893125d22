"""The texts of tool definitions: all that the model is told of the tools that it may call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A type as schemas and protocols name them.
_TYPE = re.compile(r"[a-z0-9_]{1,40}")
#: A name of a parameter that is no more than a name.
_PLAIN = re.compile(r"[A-Za-z_$][\w$.-]{0,39}", re.ASCII)
#: What a definition of an MCP server holds for the provider only.
_SECRETS = frozenset({"authorization", "headers"})


@dataclass(frozen=True, slots=True)
class Text:
    """A text that stands in an object or array under a key."""

    holder: Any
    key: Any

    @property
    def value(self) -> str:
        """What it says."""
        return self.holder[self.key]

    def write(self, text: str) -> None:
        """Put another in its place."""
        self.holder[self.key] = text


class Name(Text):
    """A key that is a text itself."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """What it says."""
        return self.key

    def write(self, text: str) -> None:
        """Give what stands there another name, in the same place; one that is taken gets a `_` more."""
        while text != self.key and text in self.holder:
            text += "_"
        renamed = [(text if key == self.key else key, value) for key, value in self.holder.items()]
        self.holder.clear()
        self.holder.update(renamed)


def texts_of(tools: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Each text: names, descriptions, every string of the parameters' schemas, and parameters' names that say more.

    Whoever wrote a tool may have hidden orders anywhere in it. Names come last: what stands under them is found by
    them.
    """
    waiting: list[Any] = list(reversed(tools))
    names: list[Name] = []
    while waiting:
        node = waiting.pop()
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if key in _SECRETS and node.get("type") == "mcp":
                continue
            if isinstance(key, str) and not _PLAIN.fullmatch(key):
                names.append(Name(node, key))
            if isinstance(value, (dict, list)):
                waiting.append(value)
            elif isinstance(value, str) and value and not (key == "type" and _TYPE.fullmatch(value)):
                yield Text(node, key)
    yield from names
