"""Unsupported answers made from what a context says: one number, name or word is changed, and marked."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from guard.training.rows import Mark, Row, Unit
from guard.training.spec import Swapped

_SENTENCE = re.compile(r"[^.!?\n]{40,260}[.!?]")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+(?: [A-Z][a-z]+)*\b")
#: Words that turn a sentence round.
_TURNS = {
    "is": "is not", "was": "was not", "are": "are not", "were": "were not", "can": "cannot", "more": "fewer",
    "before": "after", "after": "before", "first": "last", "increased": "fell", "largest": "smallest", "all": "none",
    "most": "few", "always": "never", "above": "below", "won": "lost", "north": "south", "earlier": "later",
}  # fmt: skip
_TURN = re.compile(rf"\b({'|'.join(_TURNS)})\b")


class Swapper:
    """Draws units of a supported sentence of a context and its twin with one swap, each with the whole context."""

    def __init__(self, spec: Swapped, by_source: Mapping[str, Sequence[Row]]) -> None:
        self._contexts = [
            row.text for name in spec.contexts for row in by_source[name] if row.fold == "train" and row.text.isascii()
        ]

    def draw(self, chance: random.Random) -> Unit:
        """Two rows with one context; a sentence that nothing can be swapped in is passed over."""
        while True:
            context = chance.choice(self._contexts)
            sentences = _SENTENCE.findall(context)
            if not sentences:
                continue
            sentence = chance.choice(sentences).strip()
            swapped = _swapped(sentence, context, chance)
            if swapped:
                break
        changed, mark = swapped
        unit = f"swapped {chance.getrandbits(64)}"
        pair = ((sentence, 0.0, ()), (changed, 1.0, (mark,)))
        return tuple(
            Row(
                context,
                {"context_adherence": label},
                "swapped",
                "swapped",
                "train",
                unit,
                response=response,
                marks=marks,
                weight=0.7,
            )
            for response, label, marks in pair
        )


def _swapped(sentence: str, context: str, chance: random.Random) -> tuple[str, Mark] | None:
    kinds = [_number, _name, _turn]
    chance.shuffle(kinds)
    for kind in kinds:
        found = kind(sentence, context, chance)
        if found:
            start, end, new = found
            return sentence[:start] + new + sentence[end:], Mark(start, start + len(new), "context_adherence")
    return None


def _number(sentence: str, context: str, chance: random.Random) -> tuple[int, int, str] | None:
    matches = list(_NUMBER.finditer(sentence))
    if not matches:
        return None
    match = chance.choice(matches)
    others = [other for other in _NUMBER.findall(context) if other != match[0] and len(other) == len(match[0])]
    new = chance.choice(others) if others and chance.random() < 0.5 else _other_figures(match[0], chance)
    return match.start(), match.end(), new


def _other_figures(number: str, chance: random.Random) -> str:
    at = chance.choice([place for place, letter in enumerate(number) if letter.isdigit()])
    return number[:at] + chance.choice([digit for digit in "123456789" if digit != number[at]]) + number[at + 1 :]


def _name(sentence: str, context: str, chance: random.Random) -> tuple[int, int, str] | None:
    matches = list(_NAME.finditer(sentence))
    others = sorted(set(_NAME.findall(context)))
    if not matches:
        return None
    match = chance.choice(matches)
    others = [other for other in others if other not in match[0] and match[0] not in other]
    return (match.start(), match.end(), chance.choice(others)) if others else None


def _turn(sentence: str, context: str, chance: random.Random) -> tuple[int, int, str] | None:
    matches = list(_TURN.finditer(sentence))
    if not matches:
        return None
    match = chance.choice(matches)
    return match.start(), match.end(), _TURNS[match[0]]
