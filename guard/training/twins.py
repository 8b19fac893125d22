"""What sets a long text apart from its twin that says the opposite: only a part with some of it can tell which it is.

A part that both share is harmless, since it stands in a harmless text. Without this a long attack that is cut anywhere
would teach that its surroundings (a host document, a tale) are the attack.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from guard.training.rows import Mark, Row, Unit

HEAD = "prompt_injection"
#: Shorter texts are never cut.
LONG = 240
#: Words in a row that both must have to count as shared, and the least share of all words that makes two texts twins.
_SHARED, _TWINS = 3, 0.3
_WORD = re.compile(r"\w+|[^\w\s]")


def told_apart(unit: Unit) -> Unit:
    """The rows of a unit with `telling` set where they are long twins, one of them an attack; else as they are.

    In a document with an attack inside (kind `indirect`) the attack is what differs, so its words are marked too.
    """
    if len(unit) != 2 or max(len(row.text) for row in unit) < LONG or any(row.marks is not None for row in unit):
        return unit
    if sorted(row.truth.get(HEAD, -1) for row in unit) != [0, 1]:
        return unit
    differing = _differing(*(row.text for row in unit))
    if differing is None:
        return unit
    return tuple(_told(row, found) for row, found in zip(unit, differing, strict=True))


def _told(row: Row, telling: tuple[Mark, ...]) -> Row:
    if row.kind == "indirect" and telling:
        attack = Mark(telling[0].start, telling[-1].end, HEAD)
        return replace(row, marks=(attack,), telling=(attack,))
    return replace(row, telling=telling)


def _differing(one: str, other: str) -> tuple[tuple[Mark, ...], tuple[Mark, ...]] | None:
    """The ranges of each that the other lacks; None where they share too little to be twins."""
    words = [list(_WORD.finditer(text)) for text in (one, other)]
    matcher = SequenceMatcher(None, *([word[0] for word in each] for each in words), autojunk=False)
    shared = [block for block in matcher.get_matching_blocks() if block.size >= _SHARED]
    if 2 * sum(block.size for block in shared) < _TWINS * sum(map(len, words)):
        return None
    first = _gaps(words[0], [(block.a, block.size) for block in shared])
    return first, _gaps(words[1], [(block.b, block.size) for block in shared])


def _gaps(words: Sequence[re.Match[str]], shared: Sequence[tuple[int, int]]) -> tuple[Mark, ...]:
    found, at = [], 0
    for start, size in [*shared, (len(words), 0)]:
        if start > at:
            found.append(Mark(words[at].start(), words[start - 1].end(), HEAD))
        at = start + size
    return tuple(found)
