"""One document being filled: its country, its people, and what its numbered slots hold."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from guard.training.pii.made.draw import Draw, table

if TYPE_CHECKING:
    from faker import Faker

#: What fills a slot: text that all carries the slot's label, or pieces, each with a slot's name or none.
Value: TypeAlias = "str | tuple[tuple[str, str], ...]"
#: What makes a value of a document, a slot's variant and its number; "" where the slot has none.
Maker: TypeAlias = "Callable[[Document, str, str], Value]"
Fakers: TypeAlias = "Callable[[str], Faker]"
#: How often a document is of a country, as Faker's locale.
LOCALES = table("locales")
#: Letters that Unicode does not take apart into a plain one and an accent.
_FOLDED = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "\u0131": "i", "đ": "d", "Đ": "D", "Ł": "L"})


@dataclass(slots=True)
class Person:
    """Somebody in the document. A later form of the name may change it: "de la Cruz" stays that."""

    first: str
    last: str

    @property
    def plain(self) -> tuple[str, str]:
        """First and last name in small ASCII letters, as user names and addresses have them."""
        return folded(self.first).lower() or "ana", folded(self.last).lower() or "ito"


class Document(Draw):
    """A country, in which everything is written; `fixed` where the template says which."""

    def __init__(self, random_: random.Random, fakers: Fakers, locale: str = "") -> None:
        super().__init__(random_)
        self.fakers = fakers
        self.fixed = bool(locale)
        self.locale = locale or random_.choices(list(LOCALES), list(LOCALES.values()))[0]
        self.recent: Person | None = None
        self._people: dict[str, Person] = {}

    @property
    def faker(self) -> Faker:
        """Faker for the document's country."""
        return self.fakers(self.locale)

    @property
    def country(self) -> str:
        """The country's code, in small letters."""
        code = self.locale.partition("_")[2].lower()
        return "uk" if code == "gb" else code

    def formatted(self, slot: str, variant: str = "") -> str:
        """A value in one of the slot's formats: of the variant, else of the country, else of any."""
        rows = table("formats")[slot]
        return self.shaped(self.pick(next(rows[key] for key in (variant, self.country, "any") if key in rows)))

    def person(self, number: str, of: str = "") -> Person:
        """The person of a numbered slot, always the same; a new one without a number. `of` says whose names."""
        if not number or number not in self._people:
            self.recent = self.newcomer(of)
            if number:
                self._people[number] = self.recent
        else:
            self.recent = self._people[number]
        return self.recent

    def somebody(self, number: str) -> Person:
        """The person of the number, else often the one just named."""
        if number:
            return self.person(number)
        return self.recent if self.recent and self.maybe(0.5) else self.newcomer()

    def newcomer(self, of: str = "") -> Person:
        """A person not named yet."""
        people = table("people")
        if not of and not self.fixed:
            of = self.pick(self._foreign) if self.maybe(0.18) else "word" if self.maybe(0.05) else ""
        if of in people["names"]:
            names = people["names"][of]
            return Person(self.pick(names["first"]), self.pick(names["last"]))
        faker = self.fakers(of or self.locale)
        first, last = faker.first_name().strip(), faker.last_name().strip()
        if (of or self.locale) in ("es_ES", "es_MX") and self.maybe(0.6):
            last += f" {faker.last_name()}"
        elif (of or self.locale) == "en_US" and self.maybe(0.04):
            last = self.pick(people["apostrophes"] + people["particles"])
        return Person(first, last)

    @property
    def _foreign(self) -> list[str]:
        return [name for name in table("people")["names"] if name != "word"]


def folded(name: str) -> str:
    """The letters and digits of a name without accents."""
    plain = unicodedata.normalize("NFKD", name.translate(_FOLDED)).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]", "", plain)
