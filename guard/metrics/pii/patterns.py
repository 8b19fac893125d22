"""Our own recognisers: values that their surroundings or layout give away. The patterns are patterns.yaml."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import re2
from ruamel.yaml import YAML

from guard.metrics.fingerprint import fingerprint
from guard.metrics.gate import gate, loosened
from guard.metrics.metric import Cost
from guard.metrics.score import Span

_FOLDER = Path(__file__).parent
_PART = re.compile(r"\{([a-z_]+)\}")
#: What may stand before a cue: a cue is a word of its own.
_BEFORE = r"(?:^|[^0-9A-Za-z\x{C0}-\x{24F}\x{400}-\x{4FF}])"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row of patterns.yaml, ready to search. `hint` matches wherever the pattern does, and is cheaper."""

    label: str
    score: float
    hint: str
    regex: Any
    digits: int
    least: int
    but: Any

    def spans(self, text: str) -> Iterator[Span]:
        """Where the pattern's value stands in `text`."""
        for match in self.regex.finditer(text):
            start, end = match.span(1)
            while end > start and text[end - 1] in " \t\n.,;:":
                end -= 1
            if self._is_value(text[start:end]):
                yield Span(start, end, self.label, self.score)

    def _is_value(self, value: str) -> bool:
        if len(value) < self.least or (self.but and self.but.fullmatch(value)):
            return False
        return not self.digits or sum(map(str.isdigit, value)) >= self.digits


class Patterns:
    """The recogniser of patterns.yaml: one pass says which patterns can match, and only those are searched."""

    cost = Cost.FREE

    def __init__(self, wanted: Collection[str]) -> None:
        self.labels = frozenset(_data("patterns.yaml")) & frozenset(wanted)

    @property
    def version(self) -> str:
        """Of the patterns."""
        return fingerprint(*(_FOLDER.joinpath(name).read_bytes() for name in ("patterns.yaml", "fragments.yaml")))

    def load(self) -> None:
        """Read and compile the patterns."""
        self._ready  # noqa: B018 - a cached property

    def __call__(self, text: str) -> Iterator[Span]:
        """The values found in `text`."""
        patterns, hints = self._ready
        for number in hints.Match(text) or ():
            yield from patterns[number].spans(text)

    @cached_property
    def _ready(self) -> tuple[list[Pattern], Any]:
        """The patterns, and the set of their hints in the same order."""
        patterns = [pattern for pattern in _patterns() if pattern.label in self.labels]
        return patterns, gate(pattern.hint for pattern in patterns)


def choice(alternatives: str | list[str]) -> str:
    """A RE2 pattern from a pattern, or from a list of which one must match."""
    return alternatives if isinstance(alternatives, str) else f"(?:{'|'.join(alternatives)})"


@cache
def _patterns() -> tuple[Pattern, ...]:
    parts = {name: choice(part) for name, part in _data("fragments.yaml").items()}
    return tuple(_pattern(label, row, parts) for label, rows in _data("patterns.yaml").items() for row in rows)


@cache
def _data(name: str) -> dict[str, Any]:
    return YAML(typ="safe").load(_FOLDER.joinpath(name).read_text("utf-8"))


def _pattern(label: str, row: dict[str, Any], parts: dict[str, str]) -> Pattern:
    if "cue" in row:
        hint = f"{_BEFORE}(?:{choice(row['cue'])})"
        find = f"{hint}{row.get('link', '{link}')}({choice(row['value'])}){row.get('after', '')}"
    else:
        hint = find = row["find"]
    flags = "(?m)" if row.get("case") else "(?im)"
    return Pattern(
        label,
        row["score"],
        flags + loosened(_whole(hint, parts)),
        re2.compile(flags + _whole(find, parts)),
        row.get("digits", 0),
        row.get("least", 1),
        re2.compile(_whole(row["but"], parts)) if "but" in row else None,
    )


def _whole(pattern: str, parts: dict[str, str]) -> str:
    """The pattern with the parts it names put in."""
    while _PART.search(pattern):
        pattern = _PART.sub(lambda match: f"(?:{parts[match[1]]})", pattern)
    return pattern
