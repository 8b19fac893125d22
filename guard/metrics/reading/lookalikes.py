"""Letters of other scripts that stand in for Latin ones, folded back; genuine Greek or Cyrillic is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from guard.metrics.reading.draft import Edit

_WORD = re.compile(r"\w+")
_LAST_LATIN = "\u024f"
_LATIN_ADDITIONAL = ("\u1e00", "\u1eff")


@cache
def known() -> frozenset[str]:
    """The characters that could be folded."""
    return frozenset(char for rows in _table().values() for char in rows)


def dressed(text: str) -> Iterator[Edit]:
    """Edits that fold Latin letters in another dress (small capitals, squared, circled), wherever they stand."""
    fold = _table()["always"]
    if not fold.keys().isdisjoint(set(text)):
        yield from _folded(text, 0, fold)


def disguised(text: str) -> Iterator[Edit]:
    """Edits that fold lookalikes in words that mix them with Latin letters, or that are lookalikes in a Latin line.

    The rows and when each applies are in lookalikes.tsv (after UTS #39, Unicode's confusables).
    """
    alike = _table()["alike"]
    inside = alike | _table()["near"]
    if inside.keys().isdisjoint(set(text)):
        return
    lines = _Lines(text, alike)
    for match in _WORD.finditer(text):
        word = match[0]
        if word.isascii():
            continue
        letters = [char for char in word if char.isalpha()]
        if any(map(_is_latin, letters)):
            yield from _folded(word, match.start(), inside)
        elif all(char in alike for char in letters) and lines.latin_at(match.start()):
            yield from _folded(word, match.start(), alike)


def _folded(text: str, at: int, fold: dict[str, str]) -> Iterator[Edit]:
    for position, char in enumerate(text, at):
        if char in fold:
            yield Edit(position, position + 1, fold[char], aligned=True)


class _Lines:
    """Which lines of a text are Latin, each looked at once, asked in order."""

    def __init__(self, text: str, alike: dict[str, str]) -> None:
        self._text = text
        self._alike = alike
        self._end = -1
        self._latin = False

    def latin_at(self, position: int) -> bool:
        """Whether the line at `position` has more Latin letters than letters that only another script can have."""
        if position >= self._end:
            start = self._text.rfind("\n", 0, position) + 1
            end = self._text.find("\n", position)
            self._end = len(self._text) if end < 0 else end
            letters = [char for char in self._text[start : self._end] if char.isalpha()]
            latin = sum(map(_is_latin, letters))
            self._latin = latin > sum(char not in self._alike for char in letters) - latin
        return self._latin


def _is_latin(char: str) -> bool:
    return (char <= _LAST_LATIN or _LATIN_ADDITIONAL[0] <= char <= _LATIN_ADDITIONAL[1]) and char.isalpha()


@cache
def _table() -> dict[str, dict[str, str]]:
    """When a row applies → character → the letter it looks like."""
    table: dict[str, dict[str, str]] = {"always": {}, "alike": {}, "near": {}}
    for line in Path(__file__).with_name("lookalikes.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            _, char, letter, when = line.split("\t")
            table[when][char] = letter
    return table
