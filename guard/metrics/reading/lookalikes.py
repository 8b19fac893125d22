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


def mixed(text: str) -> Iterator[Edit]:
    """Edits that fold lookalikes in words that mix them with Latin letters.

    The rows and when each applies are in lookalikes.tsv (after UTS #39, Unicode's confusables).
    """
    fold = _table()["alike"] | _table()["near"]
    for start, word in _words_with(fold, text):
        if any(map(_is_latin, word)):
            yield from _folded(word, start, fold)


def alone(text: str) -> Iterator[Edit]:
    """Edits that fold words which are nothing but lookalikes, in lines that are Latin otherwise."""
    fold = _table()["alike"]
    lines = _Lines(text, fold)
    for start, word in _words_with(fold, text):
        if all(char in fold for char in word if char.isalpha()) and lines.latin_at(start):
            yield from _folded(word, start, fold)


def _words_with(fold: dict[str, str], text: str) -> Iterator[tuple[int, str]]:
    """Where words start that hold a character which could be folded, and the words."""
    if not fold.keys().isdisjoint(set(text)):
        for match in _WORD.finditer(text):
            if not match[0].isascii():
                yield match.start(), match[0]


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
