"""Plain Python of a YAML text, with the line of each part. What no file of ours needs is refused."""

from __future__ import annotations

import datetime
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from guard.errors import PolicyError
from guard.policies.wording import not_yaml

MAX_DEPTH = 40

#: A path of keys and indexes into a file's content.
Place: TypeAlias = tuple[str | int, ...]


def plain(text: str, file: str) -> tuple[dict[str, Any], dict[Place, int]]:
    """The mapping that a YAML text holds, and the line on which each part of it stands.

    Raises PolicyError, with `file` and line, where the text is no YAML, or holds aliases, tags, dates, keys that are no
    words, halves of characters, or more than 40 levels.
    """
    try:
        data = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        told = " ".join(part for part in (error.context, error.problem) if part)
        raise PolicyError(f"{file}:{mark.line + 1 if mark else 1}: {not_yaml(told)}") from None
    except Exception as error:  # noqa: BLE001 - on malformed text the reader raises whatever its parts do
        told = "nested too deeply" if isinstance(error, RecursionError) else str(error) or type(error).__name__
        raise PolicyError(f"{file}:1: {not_yaml(told)}") from None
    if not isinstance(data, CommentedMap):
        raise PolicyError(f"{file}:1: holds no 'name: value' lines; write some, such as 'policy: NAME'")
    reader = _Reader(file)
    return reader.mapping(data, ()), reader.lines


class _Reader:
    """Walks the YAML reader's nodes, which may be of many types, once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Place, int] = {(): 1}
        self.seen: set[int] = set()

    def value(self, node: Any, path: Place) -> Any:
        if isinstance(node, (CommentedMap, CommentedSeq)):
            if len(path) > MAX_DEPTH:
                raise self.refused(path, f"is nested more than {MAX_DEPTH} deep")
            if id(node) in self.seen:  # an alias of an alias of … can blow up to any size
                raise self.refused(path, "aliases (*name) are not taken; write it out, or use extends")
            self.seen.add(id(node))
            return self.mapping(node, path) if isinstance(node, CommentedMap) else self.sequence(node, path)
        if isinstance(node, str):
            if any("\ud800" <= character <= "\udfff" for character in node):
                raise self.refused(path, "holds half a character (a lone surrogate); write the character itself")
            return str(node)
        if node is None or isinstance(node, bool):
            return node
        if isinstance(node, (int, float)):
            return int(node) if isinstance(node, int) else float(node)
        if isinstance(node, datetime.date):
            raise self.refused(path, f"{node} is read as a date; put it into quotes")
        raise self.refused(path, "tags (!name) are not taken; remove it, or put the value into quotes")

    def mapping(self, node: CommentedMap, path: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, child in node.items():
            name = str(key) if isinstance(key, (str, int)) and not isinstance(key, bool) else ""
            if not name or name in found or key not in (node.lc.data or ()):
                raise self.refused(path, f"'{key}' cannot be a key; write each key once, as a word, without << and ?")
            self.lines[*path, name] = node.lc.key(key)[0] + 1
            self.value(name, (*path, name))
            found[name] = self.value(child, (*path, name))
        return found

    def sequence(self, node: CommentedSeq, path: Place) -> list[Any]:
        for number in range(len(node)):
            self.lines[*path, number] = node.lc.item(number)[0] + 1
        return [self.value(child, (*path, number)) for number, child in enumerate(node)]

    def refused(self, path: Place, text: str) -> PolicyError:
        return PolicyError(f"{self.file}:{self.lines[path]}: {text}")
