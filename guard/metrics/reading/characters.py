"""Characters as they mean: NFKC, without what shows nothing, and every space a space."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path

from guard.metrics.reading.draft import Edit

#: Marks beyond this many on one character are not put in order (UAX #15, stream-safe text): that takes quadratic time.
_MOST_MARKS = 30
#: What a character may become. Longer are U+FDFA and U+FDFB, the Arabic blessings in one character.
_LONGEST_PLAIN = 6
#: Format characters that are written and read: Arabic number signs and the like.
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_LINE_ENDS = frozenset("\x0b\x0c\x85\u2028\u2029")
_LAST_LATIN = "\u024f"


class _Role(Enum):
    CHANGES = "changes"  # is written differently
    JOINS = "joins"  # may change together with the character before it
    IGNORED = "ignored"  # shows nothing


def is_odd(char: str) -> bool:
    """Whether `edits` could change a text because of this character."""
    return _role(char) is not None


def edits(text: str) -> Iterator[Edit]:
    """Edits that bring a text into NFKC without ignorable, control and half characters, one for each cluster.

    A cluster is a character and the marks on it, with whatever invisible stands between. Marks that are left on a Latin
    letter, a digit or a sign after composing (struck-through and "zalgo" text) are dropped. The few characters that are
    whole phrases stay as they are: a text of them would grow eighteenfold.
    """
    roles = {char: role for char in set(text) if (role := _role(char))}
    if not roles:
        return
    start = end = 0
    for position in [index for index, char in enumerate(text) if char in roles]:
        joins = roles[text[position]] is not _Role.CHANGES
        if joins and position == end > start:
            end += 1
            continue
        yield from _edit(text, start, end, roles)
        # What joins takes along the character before it, unless that has been read already.
        start, end = (position - 1 if joins and position > end else position), position + 1
    yield from _edit(text, start, end, roles)


def _edit(text: str, start: int, end: int, roles: dict[str, _Role]) -> Iterator[Edit]:
    old = text[start:end]
    new = _settled([char for char in old if roles.get(char) is not _Role.IGNORED])
    if new != old:
        yield Edit(start, end, new, aligned=len(old) == len(new) == 1)


def _settled(cluster: list[str]) -> str:
    alone = [_settled_alone(char) for char in cluster]
    if len(alone) < 2:
        return "".join(alone)
    new = unicodedata.normalize("NFKC", "".join(alone[:_MOST_MARKS])) + "".join(alone[_MOST_MARKS:])
    if new[0] <= _LAST_LATIN:
        return new[0] + "".join(char for char in new[1:] if unicodedata.category(char) != "Mn")
    return new


@lru_cache(maxsize=16_384)
def _settled_alone(char: str) -> str:
    if char in _LINE_ENDS:
        return "\n"
    if unicodedata.category(char) == "Zs":
        return " "
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) <= _LONGEST_PLAIN else char


@lru_cache(maxsize=16_384)
def _role(char: str) -> _Role | None:
    if " " <= char <= "~" or char in "\t\n\r":
        return None
    category = unicodedata.category(char)
    if char in _LINE_ENDS or category == "Cs":
        return _Role.CHANGES
    if category == "Cc" or (category == "Cf" and char not in _VISIBLE_FORMATS) or ord(char) in _ignorable():
        return _Role.IGNORED
    if category[0] == "M" or "\u1160" <= char <= "\u11ff" or char in "\uff9e\uff9f":
        return _Role.JOINS
    return None if _settled_alone(char) == char else _Role.CHANGES


@cache
def _ignorable() -> frozenset[int]:
    codes: set[int] = set()
    for line in Path(__file__).with_name("ignorable.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            first, last, _ = line.split("\t")
            codes.update(range(int(first, 16), int(last, 16) + 1))
    return frozenset(codes)
