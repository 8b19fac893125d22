"""Paths into JSON, and where in a JSON text stands what they find. The only file that imports jsonpath_rfc9535.

A path is JSONPath (RFC 9535) without filters: they may ask for the whole document at each of its values, and their
patterns run on an engine that hostile text can stall.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathNode, JSONPathQuery

#: Characters of a path, values that one may find in a text, and how deep they may stand there.
LONGEST, MOST, DEEPEST = 200, 1_000, 32
#: By the place where an object or array begins: where its values begin.
Starts: TypeAlias = dict[int, dict[str | int, int]]
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@lru_cache(maxsize=1_000)
def query(path: str) -> JSONPathQuery:
    """A path, ready to be followed. Raises ValueError with the fix where it is none, or one that costs too much."""
    from jsonpath_rfc9535 import JSONPathError
    from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment
    from jsonpath_rfc9535.selectors import FilterSelector

    like = "should be a path as $.query, $.items[*].text, $['a name'] or $..text"
    if len(path) > LONGEST:
        raise ValueError(f"{like}, of at most {LONGEST} characters")
    try:
        found = _environment().compile(path)
    except JSONPathError as error:
        raise ValueError(f"{like}: {error}") from None
    if not found.segments:
        raise ValueError(f"{like}; remove it to read the whole text")
    if any(isinstance(selector, FilterSelector) for segment in found.segments for selector in segment.selectors):
        raise ValueError("may hold no filter [?…], which can cost more than the whole check; name the steps")
    if sum(isinstance(segment, JSONPathRecursiveDescentSegment) for segment in found.segments) > 1:
        raise ValueError("may hold '..' once, so that a text is searched once; name the steps between")
    return found


def find(document: Any, path: str) -> list[JSONPathNode]:
    """What a path finds. Raises ValueError where that is more than MOST, or where it looks for it too deep."""
    from jsonpath_rfc9535 import JSONPathRecursionError

    try:
        found = list(islice(query(path).finditer(document), MOST + 1))
    except JSONPathRecursionError:
        raise ValueError(f"looks for values more than {DEEPEST} deep") from None
    if len(found) > MOST:
        raise ValueError(f"finds more than {MOST:,} values")
    return found


@cache
def _environment() -> JSONPathEnvironment:
    from jsonpath_rfc9535 import JSONPathEnvironment

    class Bounded(JSONPathEnvironment):
        max_recursion_depth = DEEPEST

    return Bounded()


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
