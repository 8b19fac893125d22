"""Words of a text among a model's tokens, alike for every tokenizer: what a tag of a token is the tag of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from guard.metrics.tokens import Pieces

#: Scripts that are written without spaces (Thai, Lao, Burmese, Khmer, Kana, Han): there each token is a word.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Word(NamedTuple):
    """A word's first token, and its characters from `start` to `end`, exclusive: none where it is all white space."""

    first: int
    start: int
    end: int


def words(text: str, pieces: Pieces) -> list[Word]:
    """The words in order; each goes on up to the first token of the next.

    A word is a run of letters and digits, or any other token by itself, and never more than the tokenizer's own word.
    So a name is one in `{"name":"Ann"}` too, where a tokenizer of sentence pieces sees a single word, and a space that
    a tokenizer puts before a word belongs to it.
    """
    found: list[Word] = []
    number = -1
    for token, (start, end, own) in enumerate(_tokens(text, pieces)):
        last = found[-1] if found and own == number else None
        if last and last.start == last.end == start:
            found[-1] = Word(last.first, start, end)
        elif last and start < end and _goes_on(text, start, last.end):
            found[-1] = Word(last.first, last.start, max(end, last.end))
        else:
            found.append(Word(token, start, end))
        number = own
    return found


def _tokens(text: str, pieces: Pieces) -> Iterator[tuple[int, int, int]]:
    """The characters of each token without the space around them, and the number of the tokenizer's own word."""
    for (start, end), number in zip(pieces.offsets.tolist(), pieces.words.tolist(), strict=True):
        inner = text[start:end]
        bare = inner.strip()
        begin = start + len(inner) - len(inner.lstrip()) if bare else end
        yield begin, begin + len(bare), number


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether what begins at `start` is of one word with what ends at `end`."""
    # Tokens of bytes: several make one character.
    return start < end or (start == end and _in_word(text[end - 1]) and _in_word(text[start]))


def _in_word(character: str) -> bool:
    return not _SPACELESS.match(character) and (character.isalnum() or unicodedata.category(character)[0] == "M")
