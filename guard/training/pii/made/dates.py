"""Dates, in the orders and words of the countries."""

from __future__ import annotations

from guard.training.pii.made.document import Document
from guard.training.pii.made.draw import in_words, table

_BIRTH = ("iso", "slashed", "slashed", "dotted", "long", "long")


def date(doc: Document, variant: str, number: str) -> str:
    """A date of these years as the variant writes it, or words like "next week"."""
    words = table("words")
    if variant.startswith("relative_"):
        return doc.pick(words[variant.removeprefix("relative_")]).format(day=doc.pick(words["days"]))
    if variant == "weekday":
        return doc.pick(words["days"])[: None if doc.maybe(0.9) else 3]
    return _written(doc, variant, 2015, 2027)


def date_of_birth(doc: Document, variant: str, number: str) -> str:
    """A birthday as the variant writes it."""
    return _written(doc, variant or doc.pick(_BIRTH), 1931, 2019)


def _written(doc: Document, variant: str, first: int, last: int) -> str:
    year, month, day = doc.number(first, last), doc.number(1, 12), doc.number(1, 28)
    name = table("words")["months"][month - 1]
    forms = table("forms")["dates"]
    a, b = (month, day) if doc.locale == "en_US" else (day, month)
    fields = {
        "y": year,
        "yy": f"{year % 100:02d}",
        "m": month,
        "mm": f"{month:02d}",
        "d": day,
        "dd": f"{day:02d}",
        "a": a,
        "aa": f"{a:02d}",
        "b": b,
        "bb": f"{b:02d}",
        "month": name,
        "mon": name[:3],
        "lower": name.lower(),
        "nth": f"{day}{_ending(day)}",
        "nth_word": table("words")["ordinals"][day - 1],
        "day_word": in_words(day),
        "year_words": _year(year),
        "time": f"{doc.number(0, 23):02d}:{doc.number(0, 59):02d}:{doc.number(0, 59):02d}",
        "millis": doc.shaped("###"),
    }
    return doc.pick(forms.get(variant, forms["long"])).format(**fields)


def _ending(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _year(year: int) -> str:
    if 2000 <= year <= 2009:
        return "two thousand" + (f" and {in_words(year % 100)}" if year % 100 else "")
    return f"{in_words(year // 100)} {'' if year % 100 > 9 else 'oh '}{in_words(year % 100)}"


VALUES = {"DATE": date, "DATE_OF_BIRTH": date_of_birth}
