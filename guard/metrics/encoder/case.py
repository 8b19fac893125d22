"""The letter case of tokens, told to the model beside them, since its vocabulary knows small letters only."""

from __future__ import annotations

from collections.abc import Iterable

CASES = 3


def letter_cases(text: str, offsets: Iterable[tuple[int, int]]) -> list[int]:
    """One number a token, by the characters it covers in the text as it was written.

    2 where they are two or more with a cased letter and no small one among them (NASA), else 1 where the first is a
    capital (Paris, I), else 0.
    """
    return [_case(text[start:end]) for start, end in offsets]


def _case(written: str) -> int:
    if written.isupper():
        return 2 if len(written) > 1 else 1
    return 1 if written[:1].isupper() else 0
