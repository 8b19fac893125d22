"""How a finding of one of Presidio's entity types is read: the rows of entities.yaml."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from guard.metrics.pattern import compiled

FILE = Path(__file__).with_name("entities.yaml")
#: How far before and after a finding a context word may stand, in characters: about eight words and four.
BEFORE, AFTER = 50, 25
#: How near before a finding a word must stand that speaks against it, in characters.
JUST_BEFORE = 40
#: What context adds to Presidio's score (its own figure), and the least a finding with context scores.
RAISED, LEAST = 0.35, 0.6
#: The first script written without spaces, where a number stands right beside a word.
_SPACELESS = "\u0e00"


@dataclass(frozen=True, slots=True)
class EntityType:
    """One row of entities.yaml, its patterns compiled. None: the row does not say."""

    label: str
    context: Any = None
    alone: Any = None
    against: Any = None
    never: Any = None
    patterns: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()

    def score(self, text: str, start: int, end: int, given: float) -> float:
        """What a finding scores in its surroundings, 0 where it does not count. `given` is Presidio's score."""
        if self.never and _is(self.never, text[start:end]):
            return 0.0
        if near(self.context, text, start, end):
            return min(1.0, max(given + RAISED, LEAST))
        if not self.alone or is_part(text, start, end) or not _is(self.alone, text[start:end]):
            return 0.0
        return 0.0 if just_before(self.against, text, start) else given


def near(words: Any, text: str, start: int, end: int) -> bool:
    """Whether one of the words stands near the finding."""
    sides = text[max(0, start - BEFORE) : start], text[end : end + AFTER]
    return words is not None and any(words.search(side) for side in sides)


def just_before(words: Any, text: str, start: int) -> bool:
    """Whether one of the words stands just before the finding."""
    return words is not None and bool(words.search(text[max(0, start - JUST_BEFORE) : start]))


def is_part(text: str, start: int, end: int) -> bool:
    """Whether a value is a piece of a longer number: "-1234" goes on after it, or "9400 " stands before "4799 8318"."""
    value = text[start:end]
    separators = "-./_+:" if ":" in value else "-./_+"
    if _goes_on(text[max(0, start - 2) : start][::-1], separators) or _goes_on(text[end : end + 2], separators):
        return True
    if " " not in value:
        return False
    first, last = value.index(" "), len(value) - value.rindex(" ") - 1
    before = text[max(0, start - first - 2) : start][::-1]
    return _is_group(before, first) or _is_group(text[end : end + last + 2], last)


def words(alternatives: str) -> Any:
    """A pattern of words: what stands between other characters than Latin letters and digits, in any case."""
    return compiled(f"(?:^|[^a-z0-9])(?:{alternatives})(?:$|[^a-z0-9])", case_sensitive=False)


def countries() -> frozenset[str]:
    """The countries whose identity numbers are known, as Presidio writes them."""
    return frozenset(_table()["types"]) - {"any"}


def of_countries(wanted: Collection[str] | None) -> dict[str, EntityType]:
    """The types of these countries and of everywhere, by Presidio's name; None: of all countries."""
    return {
        name: _type(row)
        for country, rows in _table()["types"].items()
        if wanted is None or country == "any" or country in wanted
        for name, row in rows.items()
    }


def left_out() -> frozenset[str]:
    """Presidio's entities that are no personal data here."""
    return frozenset(_table()["left_out"])


def suffixes() -> tuple[str, ...]:
    """Endings of domains that are no public suffixes, and addresses all the same."""
    return tuple(_table()["suffixes"])


@cache
def _table() -> dict[str, Any]:
    return YAML(typ="safe").load(FILE.read_text("utf-8"))


def _type(row: dict[str, Any]) -> EntityType:
    return EntityType(
        row["label"],
        words(row["context"]) if "context" in row else None,
        _whole(row["alone"]) if "alone" in row else None,
        words(row["against"]) if "against" in row else None,
        _whole(row["not"]) if "not" in row else None,
        tuple(row.get("patterns", ())),
        frozenset(row.get("without", ())),
    )


def _whole(pattern: str) -> Any:
    return compiled(rf"^(?:{pattern})\z")


def _is(pattern: Any, value: str) -> bool:
    return pattern.search(value) is not None


def _goes_on(beyond: str, separators: str) -> bool:
    """Whether the two characters beyond an end of a value, the nearest first, belong to the same number or code."""
    if len(beyond) < 2 or _joins(beyond[0]):
        return _joins(beyond[:1])
    return (beyond[0] in separators and beyond[1].isdigit()) or (beyond[0] == "-" and _joins(beyond[1]))


def _is_group(beyond: str, length: int) -> bool:
    """Whether a space and then a group of just so many digits stand beyond an end of a value, the nearest first."""
    return beyond[:1] == " " and beyond[1 : length + 1].isdigit() and not beyond[length + 1 :].isdigit()


def _joins(character: str) -> bool:
    return character.isalnum() and character < _SPACELESS
