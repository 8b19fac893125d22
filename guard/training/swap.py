"""Unsupported answers made from what a context says: one number, name or word is changed, and marked."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from guard.errors import SettingsError
from guard.training.rows import Mark, Row, Unit
from guard.training.spec import Swapped

#: Contexts of fewer characters have no sentence to spare.
SHORTEST = 200
_SENTENCE = re.compile(r"(?:^|(?<=[.!?] ))[^.!?\n]{40,260}[.!?](?=\s|$)", re.MULTILINE)
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
    """Draws units of two rows: a sentence with the context that says so, and what that context does not say.

    The second is the same sentence with one swap, or, without one, held against the context that it was taken out of.
    """

    def __init__(self, spec: Swapped, by_source: Mapping[str, Sequence[Row]]) -> None:
        self._contexts = [
            row.text
            for name in spec.contexts
            for row in by_source[name]
            if row.fold == "train" and row.text.isascii() and len(row.text) >= SHORTEST
        ]
        if not any(len(_SENTENCE.findall(context)) > 1 for context in self._contexts):
            raise SettingsError("no source of swapped.contexts has two sentences to train on; name another in the spec")

    def draw(self, number: int, chance: random.Random) -> Unit:
        """Two rows; a context without a sentence to use is passed over."""
        unit = f"swapped {chance.getrandbits(64)}"
        while True:
            context = chance.choice(self._contexts)
            places = [match.span() for match in _SENTENCE.finditer(context)]
            if len(places) < 2:
                continue
            at = chance.randrange(len(places))
            sentence = context[slice(*places[at])].strip()
            if chance.random() < 0.6:
                context = _part(context, places, at, chance)
            said = _shortened(sentence) if chance.random() < 0.4 else sentence
            swapped = _swapped(said, context, chance) if chance.random() < 0.7 else None
            if swapped:
                return _row(context, said, (), unit), _row(context, swapped[0], (swapped[1],), unit)
            whole = Mark(0, len(said), "context_adherence")
            without = context.replace(sentence, "")
            return _row(context, said, (), unit), _row(without, said, (whole,), unit)


def _part(context: str, places: Sequence[tuple[int, int]], at: int, chance: random.Random) -> str:
    """A sentence with one to four others around it: contexts are short as often as long."""
    first, last = max(0, at - chance.randrange(3)), min(len(places) - 1, at + chance.randrange(3))
    if first == last:
        first, last = max(0, at - 1), min(len(places) - 1, at + 1)
    return context[places[first][0] : places[last][1]]


def _row(context: str, response: str, marks: tuple[Mark, ...], unit: str) -> Row:
    truth = {"context_adherence": float(bool(marks))}
    return Row(context, truth, "swapped", "swapped", "train", unit, response=response, marks=marks, weight=0.7)


def _shortened(sentence: str) -> str:
    """The sentence up to its last comma: it says less, and nothing else."""
    said = sentence.rpartition(", ")[0]
    return f"{said}." if len(said) >= 40 else sentence


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
