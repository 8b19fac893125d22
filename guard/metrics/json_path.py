"""Paths into JSON, and where in a JSON text stands what they find.

A path is JSONPath (RFC 9535) as far as names, indices, `*` and one `..` go. Filters are left out: they may ask for the
whole document at each of its values, and their patterns run on an engine that hostile text can stall.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

#: Characters of a path, values that one may find in a text, and how deep they may stand there.
LONGEST, MOST, DEEPEST = 200, 1_000, 32
#: By the place where an object or array begins: where its values begin.
Starts: TypeAlias = dict[int, dict[str | int, int]]
_STEP = re.compile(r"""\.?\.(?:[^\W\d]\w*|\*)|(?:\.\.)?\[(?:\*|-?\d{1,9}|'[^'\\]*'|"[^"\\]*")\]""")
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class Step(NamedTuple):
    """One step of a path: a name, an index or (None) all there is; `deep`: here and anywhere below."""

    key: str | int | None
    deep: bool


class Node(NamedTuple):
    """A value found, with the key that it has in its parent."""

    value: Any
    key: str | int = ""
    parent: Node | None = None

    @property
    def keys(self) -> list[str | int]:
        """The keys from the root down to it."""
        node, keys = self, []
        while node.parent is not None:
            keys.append(node.key)
            node = node.parent
        return keys[::-1]


@lru_cache(maxsize=1_000)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises ValueError with the fix where it is none that is understood."""
    at, found = 1, []
    while path[:1] == "$" and (match := _STEP.match(path, at)):
        written, at = match[0], match.end()
        key = written.lstrip(".").strip("[]")
        found.append(Step(_key(key, bracketed="[" in written), written.startswith("..")))
    if not found or at < len(path) or len(path) > LONGEST:
        rest = f", not '{path[at:][:20]}'" if found and at < len(path) else ""
        raise ValueError(f"should be a path as $.query, $.items[*].text, $['a name'] or $..text{rest}")
    if sum(step.deep for step in found) > 1:
        raise ValueError("may hold '..' once, so that a text is searched once; name the steps between")
    return tuple(found)


def _key(written: str, *, bracketed: bool) -> str | int | None:
    if written == "*":
        return None
    return written if not bracketed else written[1:-1] if written[0] in "'\"" else int(written)


def find(document: Any, path: str) -> list[Node]:
    """What a path finds. Raises ValueError where that is more than MOST, or stands too deep."""
    found = [Node(document)]
    for step in steps(path):
        found = list(islice((child for node in found for child in _stepped(node, step)), MOST + 1))
        if len(found) > MOST:
            raise ValueError(f"finds more than {MOST:,} values")
    if any(len(node.keys) > DEEPEST for node in found):
        raise ValueError(f"finds values more than {DEEPEST} deep")
    return found


def _stepped(node: Node, step: Step) -> Iterator[Node]:
    for one in _below(node) if step.deep else (node,):
        if step.key is None:
            yield from _children(one)
        elif isinstance(one.value, dict) and step.key in one.value:
            yield Node(one.value[step.key], step.key, one)
        elif isinstance(one.value, list) and isinstance(step.key, int):
            size = len(one.value)
            if -size <= step.key < size:
                yield Node(one.value[step.key], step.key % size, one)


def _below(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(list(_children(one))))


def _children(node: Node) -> Iterator[Node]:
    value = node.value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (Node(child, key, node) for key, child in pairs)


def parsed(text: str) -> Any:
    """The object or array that a text holds. Raises ValueError or RecursionError for anything else.

    An object that has a name twice is refused too: its readers do not agree on which of the values counts.
    """
    document = json.loads(text, object_pairs_hook=_once)
    if not isinstance(document, (dict, list)):
        raise ValueError("neither an object nor an array")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def place(text: str, keys: Sequence[str | int], known: Starts) -> tuple[int, int]:
    """From where to where the value at these keys is written in a JSON text that `parsed` has read.

    `known` is kept between calls with the same text, so that nothing is searched twice.
    """
    at = _after_space(text, 0)
    for key in keys:
        if at not in known:
            known[at] = dict(_starts(text, at))
        at = known[at][key]
    return at, _DECODER.raw_decode(text, at)[1]


def _starts(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """Where each value of the object or array that begins at `at` begins, by its key."""
    named, number = text[at] == "{", 0
    while text[at] not in "]}":
        at = _after_space(text, at + 1)
        if text[at] in "]}":
            return
        key: str | int = number
        if named:
            key, at = _DECODER.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)
        yield key, at
        at = _after_space(text, _DECODER.raw_decode(text, at)[1])
        number += 1


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
