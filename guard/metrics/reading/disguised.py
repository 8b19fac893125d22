"""English in disguise: spaced out, in leetspeak, in flag letters, in rot13, written backwards."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from guard.metrics.reading.decoder import Decoder
from guard.metrics.reading.draft import Edit

_APART = r"[ .\-_*|~+/\n]{1,8}"
_SPACED = re.compile(rf"(?<![^\W_])[^\W_](?:{_APART}[^\W_]){{3,}}(?![^\W_])")
#: A superset of the above that keeps the gates' automaton small: every character outside ASCII counts as a letter.
_SPACED_GATE = rf"(?:^|[^0-9A-Za-z])[0-9A-Za-z\x{{80}}-\x{{10ffff}}](?:{_APART}[0-9A-Za-z\x{{80}}-\x{{10ffff}}]){{3}}"
#: Spaced letters in one run, beyond which the run is one edit and no words are looked for in it.
_MOST_APART = 2_000
#: Few digits apart are an address, a version or a date.
_NUMBERS = re.compile(rf"\d(?:{_APART}\d){{3,6}}")
_GAP = re.compile(_APART)
_FLAG = "\U0001f1e6-\U0001f1ff"
_FLAGS = re.compile(f"[{_FLAG}](?: ?[{_FLAG}]){{3,}}")
_LEET_WORD = re.compile(r"[0-9A-Za-z$@][0-9A-Za-z$@!|+]{0,30}[0-9A-Za-z$@]")
_LEET = {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g",
         "$": "s", "@": "a", "!": "i", "|": "l", "+": "t"}  # fmt: skip
#: 1st, 10am, $5k, 3D: a number with its unit.
_QUANTITY = re.compile(r"\$?\d+(?:st|nd|rd|th|[A-Za-z]{1,2})?")
_SEGMENT = re.compile(r"[^\n.!?:;\"“”()<>]+")
_WORDS = re.compile(r"[A-Za-z]+")


def from_spaced(text: str) -> Iterator[Edit]:
    """Four or more single letters or digits with something between: "i g n o r e", "i.g.n.o.r.e".

    What stands between most of them is dropped, and anything else there becomes one space. Where everything between
    them is the same, spaces are put around the common words that the letters spell.
    """
    for match in _SPACED.finditer(text):
        if _NUMBERS.fullmatch(match[0]):
            continue
        if match.end() - match.start() > 2 * _MOST_APART:
            yield Edit(match.start(), match.end(), _GAP.sub("", match[0]))
            continue
        gaps = [(gap.start(), gap.end(), gap[0]) for gap in _GAP.finditer(text, match.start(), match.end())]
        kinds = Counter(gap for _, _, gap in gaps)
        usual = kinds.most_common(1)[0][0]
        words = _word_starts(_GAP.sub("", match[0]).lower()) if len(kinds) == 1 else set[int]()
        for number, (start, end, gap) in enumerate(gaps, 1):
            yield Edit(start, end, "" if gap == usual and number not in words else " ")


def _word_starts(letters: str) -> set[int]:
    """Where words start in letters written without spaces: the reading with the fewest letters outside common words."""
    common, longest = _common(), max(map(len, _common()))
    # Per position: the least cost of the letters before it, and the length of the common word that ends there, or 0.
    best: list[tuple[int, int]] = [(0, 0)]
    for end in range(1, len(letters) + 1):
        # An unknown letter costs more than a known word, so that of two readings the one with longer words wins.
        ways = [(best[end - 1][0] + 2, 0)]
        ways += [
            (best[end - size][0] + 1, size)
            for size in range(3, min(longest, end) + 1)
            if letters[end - size : end] in common
        ]
        best.append(min(ways))
    starts: set[int] = set()
    end = len(letters)
    while end > 0:
        size = best[end][1]
        if size:
            starts |= {end - size, end}
        end -= size or 1
    return starts


def from_flags(text: str) -> Iterator[Edit]:
    """Four or more of the letters that flags are made of."""
    for match in _FLAGS.finditer(text):
        for position, char in enumerate(match[0], match.start()):
            if char != " ":
                yield Edit(position, position + 1, chr(ord(char) - 0x1F1E6 + ord("A")), aligned=True)


def from_leet(text: str) -> Iterator[Edit]:
    """Words that mix letters with the digits and signs that look like letters: "1gn0r3"."""
    for match in _LEET_WORD.finditer(text):
        word = match[0]
        if word.isalpha() or not any(map(str.isalpha, word)):
            continue
        if "2" in word or "6" in word or _in_address(text, match.start(), match.end()):
            continue
        plain = _unleet(word)
        if _QUANTITY.fullmatch(word) and plain.lower() not in _common():
            continue
        for position, (old, new) in enumerate(zip(word, plain, strict=True), match.start()):
            if old != new:
                yield Edit(position, position + 1, new, aligned=True)


def _in_address(text: str, start: int, end: int) -> bool:
    """Whether a word is a part of a host name, a path or an e-mail address, where digits mean themselves."""
    return text[start - 1 : start] in tuple("./@") or (
        text[end : end + 1] in tuple(".@") and text[end + 1 : end + 2].isalnum()
    )


def _unleet(word: str) -> str:
    """The word in letters; a 1 is an l where that makes a known word or stands twice, else an i."""
    letters = "".join(_LEET.get(char, char) for char in word).replace("11", "ll")
    as_l, as_i = letters.replace("1", "l"), letters.replace("1", "i")
    return as_l if as_l.lower() in _common() and as_i.lower() not in _common() else as_i


def from_rot13(text: str) -> Iterator[Edit]:
    """Clauses that hold more common English words once their letters are moved by 13."""
    yield from _clauses(text, lambda clause: codecs.encode(clause, "rot13"), aligned=True)


def from_reversed(text: str) -> Iterator[Edit]:
    """Clauses that hold more common English words read backwards."""
    yield from _clauses(text, lambda clause: clause[::-1], aligned=False)


def _clauses(text: str, turn: Callable[[str], str], *, aligned: bool) -> Iterator[Edit]:
    for match in _SEGMENT.finditer(text):
        turned = turn(match[0])
        if _english(turned) > _english(match[0]):
            yield Edit(match.start(), match.end(), turned, aligned)


def _english(text: str) -> int:
    return sum(word in _common() for word in _WORDS.findall(text.lower()))


@cache
def _common() -> frozenset[str]:
    lines = Path(__file__).with_name("common_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


#: What is only spread out and not spelt otherwise: numbers and keys come out of it as they are.
SPREAD = frozenset({"spaced", "flags"})


def decoders() -> tuple[Decoder, ...]:
    """The decoders of this file; where two claim the same characters the earlier one has them."""
    return (
        Decoder("spaced", _SPACED_GATE, from_spaced),
        Decoder("flags", f"[{_FLAG}] ?[{_FLAG}]", from_flags),
        Decoder("leet", r"[A-Za-z][013457$!@]{1,2}[A-Za-z]|\b[013457]{1,3}[A-Za-z]{2,}[013457]", from_leet),
        Decoder("rot13", _two_near(lambda word: codecs.encode(word, "rot13")), from_rot13),
        Decoder("reversed", _two_near(lambda word: word[::-1]), from_reversed),
    )


def _two_near(turn: Callable[[str], str]) -> str:
    """The pattern of two common words, turned, at most two other words apart."""
    words = "|".join(turn(word) for word in sorted(_common()))
    return rf"(?i:\b(?:{words})\W+(?:\w+\W+){{0,2}}(?:{words})\b)"
