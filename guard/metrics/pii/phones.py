"""Telephone numbers of all countries: candidates by their form (phones.yaml), checked by the library phonenumbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost
from guard.metrics.pattern import compiled
from guard.metrics.pii.entities import is_part, just_before, near, words
from guard.metrics.score import Span

_FILE = Path(__file__).with_name("phones.yaml")
LABEL = "phone_number"
#: What a number scores that only its context makes one.
IN_CONTEXT = 0.7


class Form(NamedTuple):
    """One way to write telephone numbers; `regions` are the countries to read them in, None: an international one."""

    find: Any
    score: float
    regions: list[str | None]
    valid: bool


class Phones:
    """The recogniser of telephone numbers; it loads phonenumbers on first use or `load()`."""

    cost = Cost.LOCAL
    labels = frozenset({LABEL})

    @property
    def version(self) -> str:
        """Of phonenumbers, and of the forms."""
        return fingerprint(version("phonenumbers"), _FILE.read_bytes())

    def load(self) -> None:
        """Read the forms, and import what knows the countries' rules."""
        _exists("+442079460958", self._forms[0])

    def __call__(self, text: str) -> Iterator[Span]:
        """The telephone numbers in `text`."""
        if not self._plain.search(text):
            return
        for form in self._forms:
            for start, end in self._candidates(form.find, text):
                called, international = self._is_called(text, start, end), text[start] == "+"
                if (called or international or not self._is_other(text, start)) and _exists(text[start:end], form):
                    score = max(form.score, IN_CONTEXT) if called else form.score
                    yield Span(start, self._with_extension(text, end), LABEL, score)
        for start, end in self._candidates(self._plain, text):
            if self._is_called(text, start, end) and not self._is_other(text, start):
                yield Span(start, self._with_extension(text, end), LABEL, IN_CONTEXT)

    def _candidates(self, find: Any, text: str) -> Iterator[tuple[int, int]]:
        for match in find.finditer(text):
            start, end = match.start(), match.end()
            if not self._never.search(text[start:end]) and not is_part(text, start, end):
                yield start, end

    def _is_called(self, text: str, start: int, end: int) -> bool:
        return near(self._context, text, start, end)

    def _is_other(self, text: str, start: int) -> bool:
        return just_before(self._against, text, start)

    def _with_extension(self, text: str, end: int) -> int:
        match = self._extension.search(text[end : end + 20])
        return end + match.end() if match else end

    @cached_property
    def _data(self) -> dict[str, Any]:
        return YAML(typ="safe").load(_FILE.read_text("utf-8"))

    @cached_property
    def _forms(self) -> list[Form]:
        return [
            Form(compiled(row["find"]), row["score"], _regions(row, self._data), row.get("valid", False))
            for row in self._data["forms"].values()
        ]

    @cached_property
    def _plain(self) -> Any:
        return compiled(self._data["plain"])

    @cached_property
    def _extension(self) -> Any:
        return compiled(self._data["extension"])

    @cached_property
    def _never(self) -> Any:
        return compiled(rf"^(?:{self._data['never']})\z")

    @cached_property
    def _context(self) -> Any:
        return words(self._data["context"])

    @cached_property
    def _against(self) -> Any:
        return words(self._data["against"])


def _regions(row: dict[str, Any], data: dict[str, Any]) -> list[str | None]:
    region = row.get("region")
    if region == "any":
        return data["regions"]
    return [region]


def _exists(number: str, form: Form) -> bool:
    """Whether the number is possible (or, where the form says so, valid) in one of the form's countries."""
    import phonenumbers

    check = phonenumbers.is_valid_number if form.valid else phonenumbers.is_possible_number
    if number.startswith("00"):
        number = "+" + number[2:]
    for region in form.regions:
        try:
            if check(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
