"""`{kind: keywords, words: [Acme, Globex]}`: which words and phrases of a list stand in the text, and where."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import re2
from pydantic import Field, StringConstraints

from guard.errors import MetricError
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Maker, Metric, each_passage
from guard.metrics.normalise import normalise
from guard.metrics.pattern import Pattern, compiled
from guard.metrics.score import Score, Span, found

#: Matches of one word in one passage, beyond which the last span reaches to the passage's end.
MOST_MATCHES = 10_000
#: Words that one automaton looks for: one of ten thousand would need hundreds of megabytes to be fast.
_TOGETHER = 1_000
#: Words of one list, and characters of one word.
_MOST_WORDS, _LONGEST = 100_000, 200
#: Scripts written without spaces, where any letter may start or end a word; Korean joins its particles to words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Keywords(Maker):
    """`words`, or a `file` of them, one a line (`#` starts a comment), or both.

    Words are found whole, unless `whole_words: false`, and in upper and lower case alike, unless `case_sensitive`.
    """

    kind: ClassVar[str] = "keywords"
    words: tuple[Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST)], ...] = Field(
        default=(), max_length=_MOST_WORDS
    )
    file: Path | None = None
    whole_words: bool = True
    case_sensitive: bool = False

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels: each word as it is written in the list."""
        written = [*self.words, *(_lines(name, folder / self.file) if self.file else ())]
        if not written:
            raise MetricError(f"metric '{name}' has no words to look for; give `words` or a `file` with one a line")
        labels = {" ".join(normalise(word).split()): word for word in reversed(written)}
        if "" in labels:
            raise MetricError(f"metric '{name}': {labels['']!r} has no visible characters; remove it")
        words = _Words(labels, whole=self.whole_words, case_sensitive=self.case_sensitive)

        def read(text: str) -> Score:
            return found(words.spans(text))

        return Metric(
            name,
            each_passage(read),
            kind="labels",
            version=fingerprint(self.model_dump_json(), *written),
            cost=Cost.FREE if len(labels) <= _TOGETHER else Cost.LOCAL,
            labels=words.labels,
            windowed=True,
            across=True,
            description=f"which of {len(words.labels)} words and phrases occur",
        )


class _Words:
    """Finds words in texts: automata find where any may stand, and each place is looked at by Unicode's rules."""

    def __init__(self, labels: Mapping[str, str], *, whole: bool, case_sensitive: bool) -> None:
        """`labels` says what to call each word, spelt as normalised text has it."""
        self._whole = whole
        self._fold = str if case_sensitive else str.casefold
        self._labels = {self._fold(word): label for word, label in labels.items()}
        self.labels = frozenset(self._labels.values())
        words = sorted(labels)
        self._automata = [
            compiled(_any_of(words[at : at + _TOGETHER], whole), case_sensitive=case_sensitive, longest=True)
            for at in range(0, len(words), _TOGETHER)
        ]

    def spans(self, text: str) -> Iterator[Span]:
        """Where words stand, nested and overlapping ones too."""
        data = text.encode()
        counts = Counter[str]()
        for automaton in self._automata:
            for start, end in _places(automaton, data):
                if self._whole and not (_is_edge(text, start) and _is_edge(text, end)):
                    continue
                # Python folds whatever RE2 folds, and more, so what RE2 took for a word is known here.
                label = self._labels[" ".join(self._fold(text[start:end]).split())]
                counts[label] += 1
                if counts[label] <= MOST_MATCHES:
                    yield Span(start, len(text) if counts[label] == MOST_MATCHES else end, label)


def _places(automaton: Pattern, data: bytes) -> Iterator[tuple[int, int]]:
    """Every start and end, in characters, of what the automaton finds in UTF-8 text, the shorter at one start too."""
    at = read = start = 0
    while match := automaton.search(data, at):
        first = match.start()
        start += len(data[read:first].decode())
        read = first
        while match and match.end() > first:
            yield start, start + len(data[first : match.end()].decode())
            match = automaton.match(data, first, match.end() - 1)
        at = first + 1


def _any_of(words: Sequence[str], whole: bool) -> str:
    """The pattern of any of the words; the edges it asks for are ASCII's, which every true edge of a word is too."""
    edged = ((rf"{_edge(word[0], whole)}{_spelt(word)}{_edge(word[-1], whole)}") for word in words)
    return "|".join(edged)


def _edge(char: str, whole: bool) -> str:
    return r"\b" if whole and char.isascii() and (char.isalnum() or char == "_") else ""


def _spelt(word: str) -> str:
    return r"\s+".join(map(re2.escape, word.split(" ")))


def _is_edge(text: str, position: int) -> bool:
    """Whether a word may start or end at this position."""
    if position in (0, len(text)):
        return True
    before, after = text[position - 1], text[position]
    inside = _in_word(before) and _in_word(after)
    return not inside or bool(_UNSPACED.match(before) or _UNSPACED.match(after))


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"


def _lines(name: str, file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MetricError(
            f"metric '{name}': {file} cannot be read: {error}; give a UTF-8 file with one word a line"
        ) from None
    words = [word for line in lines if (word := line.strip()) and not word.startswith("#")]
    if len(words) > _MOST_WORDS or any(len(word) > _LONGEST for word in words):
        raise MetricError(
            f"metric '{name}': {file} has over {_MOST_WORDS} words or one over {_LONGEST} characters; split it"
        )
    return words
