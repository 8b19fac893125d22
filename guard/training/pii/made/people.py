"""Persons: the forms in which a name is written."""

from __future__ import annotations

from collections.abc import Callable

from guard.training.pii.made.document import Document, Person, Value, folded
from guard.training.pii.made.draw import table


def person(doc: Document, variant: str, number: str) -> Value:
    """A name in the variant's form, of the person with that number."""
    people = table("people")
    if variant in people["scripts"]:
        return _in_script(doc, people["scripts"][variant])
    if variant.startswith("romaji"):
        return _romaji(doc, variant)
    of = people["names_of"].get(variant, "")
    if variant == "nonwestern":
        of = doc.pick([name for name in people["names"] if name != "word"])
    named = doc.person(number, of)
    if variant in ("particle", "apostrophe"):
        named.last = doc.pick(people[f"{variant}s"])
    return FORMS.get(variant, _full)(doc, named)


def _in_script(doc: Document, locale: str) -> str:
    faker = doc.fakers(locale)
    if locale in ("ru_RU", "ar_AA"):
        return f"{faker.first_name()} {faker.last_name()}"
    space = " " if locale == "ja_JP" and doc.maybe(0.5) else ""
    return f"{faker.last_name()}{space}{faker.first_name()}"


def _romaji(doc: Document, variant: str) -> str:
    first, last = doc.fakers("ja_JP").romanized_name().split()[-2:]
    doc.recent = Person(first, last)
    if variant == "romaji_last":
        return last
    return f"{first} {last}" if doc.maybe(0.7) else f"{last} {first}"


def _full(doc: Document, named: Person) -> str:
    middle = doc.shaped(" @.") if doc.maybe(0.06) else ""
    return f"{named.first}{middle} {named.last}"


def _initials(doc: Document, named: Person) -> str:
    letters = named.first[0].upper() + (doc.shaped("@") if doc.maybe(0.4) else "") + named.last[0].upper()
    return doc.pick((letters, letters, ".".join(letters) + ".", ". ".join(letters) + "."))


def _initial_last(doc: Document, named: Person) -> str:
    first, last, middle = named.first[0], named.last, doc.shaped("@")
    return doc.pick(
        (f"{first}. {last}", f"{first}. {last}", f"{first} {last}", f"{first}. {middle}. {last}", f"{first}.{last}")
    )


def _titled(doc: Document, name: str, titles: str) -> Value:
    """The title stands before the name and is no part of it."""
    brazilian = doc.fixed and doc.locale == "pt_BR"
    title = doc.pick(table("people")["brazilian_titles" if brazilian else titles])
    return (f"{title} ", ""), (name, "PERSON")


def _reversed(doc: Document, named: Person) -> str:
    return f"{named.last}, {named.first}" + (doc.shaped(" @.") if doc.maybe(0.15) else "")


def _hyphenated(doc: Document, named: Person) -> str:
    first = named.first
    if doc.maybe(0.5):
        first += "-" + doc.pick(table("people")["second_names"])
    return f"{first} {named.last}-{doc.newcomer().last}"


def _spelled(doc: Document, named: Person) -> str:
    letters = folded(named.first) or "Ana"
    return doc.pick(("-", " ", ", ")).join(letters.upper() if doc.maybe(0.5) else letters.lower())


def _middle(doc: Document, named: Person) -> str:
    middle = doc.newcomer().first if doc.maybe(0.6) else doc.shaped("@.")
    return f"{named.first} {middle} {named.last}"


def _mistyped(doc: Document, named: Person) -> str:
    name = f"{named.first} {named.last}"
    at = doc.number(1, len(name) - 2)
    before, letter, after = name[:at], name[at], name[at + 1 :]
    swapped = after[0] + letter + after[1:]
    return before + doc.pick((after, letter * 2 + after, swapped, doc.shaped("?") + after))


FORMS: dict[str, Callable[[Document, Person], Value]] = {
    "first": lambda doc, named: named.first,
    "word_first": lambda doc, named: named.first,
    "first_lower": lambda doc, named: named.first.lower(),
    "last": lambda doc, named: named.last,
    "it_last": lambda doc, named: named.last,
    "last_lower": lambda doc, named: named.last.lower(),
    "hyphen_last": lambda doc, named: f"{named.last}-{doc.newcomer().last}",
    "hyphen": _hyphenated,
    "initial": lambda doc, named: doc.shaped("@"),
    "initials": _initials,
    "initial_last": _initial_last,
    "first_last_initial": lambda doc, named: f"{named.first} {named.last[0].upper()}{doc.pick(('.', '.', ''))}",
    "title_last": lambda doc, named: _titled(doc, named.last, "titles"),
    "title_full": lambda doc, named: _titled(doc, f"{named.first} {named.last}", "titles_of_full_names"),
    "nickname": lambda doc, named: doc.pick(table("people")["nicknames"]),
    "reversed": _reversed,
    "reversed_upper": lambda doc, named: f"{named.last.upper()}{', ' if doc.maybe(0.5) else ' '}{named.first}",
    "spelled": _spelled,
    "suffix": lambda doc, named: f"{named.first} {named.last}{doc.pick((' Jr.', ', Jr.', ' Sr.', ' III', ' II'))}",
    "middle_full": _middle,
    "typo": _mistyped,
    "lowercase": lambda doc, named: f"{named.first} {named.last}".lower(),
    "upper": lambda doc, named: f"{named.first} {named.last}".upper(),
    "particle": lambda doc, named: f"{named.first} {named.last}",
    "apostrophe": lambda doc, named: f"{named.first} {named.last}",
}
VALUES = {"PERSON": person}
