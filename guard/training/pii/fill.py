"""One template filled with made-up values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from guard.metrics.score import Span
from guard.training.pii.made import contact, dates, identity, machines, money, others, people, places
from guard.training.pii.made.document import Document, Maker

_MAKERS: dict[str, Maker] = {
    slot: make
    for module in (contact, dates, identity, machines, money, others, people, places)
    for slot, make in module.VALUES.items()
}
#: {TYPE}, {TYPE:variant} or {TYPE:variant#number}; one number in a template is one person or one value.
_SLOT = re.compile(r"\{([A-Z_]+)(?::([a-z_0-9]+))?(?:#(\d))?\}")
#: What may stand between two slots that hold one thing: a street and its town.
_JOINT = re.compile(r", | |,?\n")
_LAST_NAMES = ("last", "last_lower", "hyphen_last")
#: Addresses that begin anew and are no end of the one before them.
_WHOLE_PLACES = ("street", "full", "apartment", "landmark")
#: The share of filled texts that are mistyped, and of those of a casual register that lose their letter case.
NOISE = 0.12
_CASUAL = frozenset({"chat", "sms", "voice", "prompt", "multiturn", "post", "trivia", "note", "mixed"})


class Slot(NamedTuple):
    """A place in a template for a value; `before` is the template's text in front of it."""

    before: str
    kind: str
    variant: str
    number: str


@dataclass(frozen=True, slots=True)
class Template:
    """A carrier text with slots. `locale` is "" where any country will do; `tail` is what follows the last slot."""

    id: str
    slots: tuple[Slot, ...]
    tail: str
    register: str
    locale: str

    @classmethod
    def of(cls, line: dict[str, Any]) -> Template:
        """From a row of corpus/pii_templates.jsonl.gz."""
        *parts, tail = _SLOT.split(line["template"])
        slots = tuple(
            Slot(before, kind, variant or "", number or "")
            for before, kind, variant, number in zip(*(parts[at::4] for at in range(4)), strict=True)
        )
        return cls(line["id"], slots, tail, line["register"], line.get("locale", ""))


class Filled(NamedTuple):
    """A filled template: its text, its labelled spans, and the labels that may stand in it unmarked."""

    text: str
    spans: tuple[Span, ...]
    unknown: frozenset[str]


def fill(template: Template, doc: Document) -> Filled:
    """The template with a value in each slot.

    Titles stay outside a name. A town or postcode right behind an address belongs to it, and a first and a last name
    side by side are one name.
    """
    text, spans, values = "", [], {}
    unknown: set[str] = set()
    mistyped = doc.maybe(NOISE)
    previous = ""
    for slot in template.slots:
        text += _slip(doc, slot.before) if mistyped and doc.maybe(0.4) else slot.before
        for piece, kind in _pieces(slot, doc, values):
            label = _label(kind, slot.variant) if kind else None
            if isinstance(label, dict):
                unknown.add(label["perhaps"])
            elif label and spans and _goes_on(previous, slot, text[spans[-1].end :]):
                spans[-1] = replace(spans[-1], end=len(text) + len(piece))
            elif label:
                spans.append(Span(len(text), len(text) + len(piece), label))
                previous = kind
            text += piece
    text += _slip(doc, template.tail) if mistyped and doc.maybe(0.5) else template.tail
    if template.register in _CASUAL and text.isascii() and doc.maybe(NOISE):
        text = text.lower() if doc.maybe(0.8) else text.upper()
    return Filled(text, tuple(spans), frozenset(unknown))


@cache
def slots() -> dict[str, Any]:
    """What the head is told of each slot: the table slots.yaml."""
    return YAML(typ="safe").load(Path(__file__).with_name("slots.yaml").read_text("utf-8"))


def _label(kind: str, variant: str) -> str | dict[str, str] | None:
    return slots().get(f"{kind}:{variant}", slots()[kind])


def _pieces(slot: Slot, doc: Document, values: dict[Slot, Any]) -> tuple[tuple[str, str], ...]:
    """What fills the slot, each piece with the kind it is of; the same value for the same number."""
    key = slot._replace(before="")
    if key in values:
        return values[key]
    value = _MAKERS[slot.kind](doc, slot.variant, slot.number)
    whole = ((value, slot.kind),) if isinstance(value, str) else value
    pieces = tuple((re.sub(r"[ \t]+", " ", piece).strip() if kind else piece, kind) for piece, kind in whole)
    if slot.number:
        values[key] = pieces
    return pieces


def _goes_on(previous: str, slot: Slot, between: str) -> bool:
    """Whether the slot's value belongs to the span before it, which a value of kind `previous` ended."""
    if previous == "ADDRESS" and slot.kind in ("LOCATION", "ADDRESS") and slot.variant not in _WHOLE_PLACES:
        return _JOINT.fullmatch(between) is not None
    if previous != "PERSON" or slot.kind != "PERSON":
        return False
    return (slot.variant in _LAST_NAMES and between in (" ", "")) or (slot.variant == "first" and between == "-")


def _slip(doc: Document, text: str) -> str:
    """The text with one letter left out, doubled, or swapped with the next."""
    places = [
        at for at in range(1, len(text) - 1) if text[at - 1 : at + 2].isascii() and text[at - 1 : at + 2].isalpha()
    ]
    if not places:
        return text
    at = doc.pick(places)
    before, letter, after = text[:at], text[at], text[at + 1 :]
    return doc.pick((before + after, before + after[0] + letter + after[1:], before + letter + letter + after))
