"""Which of many patterns can match a text, told in one pass over it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import re2

#: How often something is repeated, outside of escapes like \x{100}.
_REPEATED = re.compile(r"(?<!\\x)\{(\d+)(?:,\d*)?\}")
#: Up to which count repetitions are counted.
_COUNTED = 8
#: RE2's budget for the patterns and their automaton, in bytes: with less it would start afresh too often.
_MEMORY = 64 << 20


def gate(patterns: Iterable[str]) -> Any:
    """A RE2.Set of the patterns, in their order: `Match(text)` gives the numbers of those that match, or None.

    The text must not hold lone surrogates.
    """
    options = re2.Options()
    options.max_mem = _MEMORY
    made = re2.Set.SearchSet(options)
    for pattern in patterns:
        made.Add(pattern)
    made.Compile()
    return made


def loosened(pattern: str) -> str:
    """A pattern that matches wherever this one does, and counts less: counting takes most of an automaton's states."""
    fewest = {0: "*", 1: "+"}
    return _REPEATED.sub(lambda match: fewest.get(n := min(int(match[1]), _COUNTED), f"{{{n},}}"), pattern)
