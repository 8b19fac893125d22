"""What is no personal data and looks like it: orders, products, people of history, plain numbers, ages."""

from __future__ import annotations

from guard.training.pii.made.document import Document
from guard.training.pii.made.draw import in_words, table


def product(doc: Document, variant: str, number: str) -> str:
    """A thing of the variant's kind, named after a person or a place."""
    products = table("things")["PRODUCT"]
    return doc.pick(products[variant or doc.pick(("food", "clothing", "tech", "tech", "furniture", "book"))])


def public_person(doc: Document, variant: str, number: str) -> str:
    """Somebody whom everybody knows."""
    people = table("things")["PUBLIC_PERSON"]
    return doc.pick(people[variant or doc.pick([kind for kind in people if kind != "unit_scientist"])])


def plain_number(doc: Document, variant: str, number: str) -> str:
    """A count, an amount, a time: whatever the variant says."""
    cents = f"{doc.number(3, 900)}.{doc.number(0, 99):02d}"
    forms = {
        "qty": (str(doc.number(2, 990)),),
        "small": (str(doc.number(2, 14)),),
        "amount": (f"${cents}", cents, f"€{doc.number(3, 2000)}", f"£{doc.number(3, 500)}"),
        "percent": tuple(f"{doc.number(1, 99)}{sign}" for sign in ("%", "%", ".5%", " percent")),
        "port": (str(doc.number(1001, 65000)),),
        "size": (str(doc.number(5, 47)),),
        "time": (f"{doc.number(0, 23)}:{doc.number(0, 59):02d}", f"{doc.number(1, 12)} {doc.pick(('am', 'pm'))}"),
    }
    return doc.pick(forms[variant])


def age(doc: Document, variant: str, number: str) -> str:
    """Somebody's age; no label of ours."""
    years = doc.number(18, 92) if doc.maybe(0.8) else doc.number(3, 17)
    if variant == "spoken":
        return in_words(years)
    if variant == "yo":
        return f"{years}{doc.pick(('-year-old', '-year-old', ' year old', 'yo', ' y/o'))}"
    return str(years)


VALUES = {
    "ORDER_ID": lambda doc, variant, number: doc.formatted("ORDER_ID", variant),
    "PRODUCT": product,
    "PUBLIC_PERSON": public_person,
    "NUM": plain_number,
    "AGE": age,
}
