"""Cards, accounts, pay."""

from __future__ import annotations

from guard.training.pii.made import checks
from guard.training.pii.made.document import Document
from guard.training.pii.made.draw import in_words, table

#: How the numbers of the card schemes begin; those of 15 digits are American Express's.
_CARDS = ("4", "4", "4", "51", "53", "55", "2221", "6011", "3528", "34", "37", "65")
_AMEX = ("34", "37")
_IBAN_OF = {"uk": "GB"}
_ROUTING = {"us": "aba", "uk": "sort_code", "in": "ifsc", "de": "blz", "au": "bsb"}


def credit_card(doc: Document, variant: str, number: str) -> str:
    """A payment card's number."""
    first = doc.pick(_AMEX if variant == "amex" else _CARDS)
    length = 15 if first in _AMEX else 16
    digits = first + doc.shaped("#" * (length - 1 - len(first)))
    whole = doc.broken(digits + checks.luhn(digits))
    if variant == "spoken":
        return doc.spoken(whole)
    groups = (whole[:4], whole[4:10], whole[10:]) if length == 15 else tuple(whole[at : at + 4] for at in (0, 4, 8, 12))
    between = {"plain": "", "spaced": " ", "dashed": "-", "amex": " "}
    return between.get(variant, doc.pick(("", " ", "-", " "))).join(groups)


def cvv(doc: Document, variant: str, number: str) -> str:
    """A card's security code."""
    code = doc.formatted("CVV", variant)
    return doc.spoken(code) if variant == "spoken" else code


def iban(doc: Document, variant: str, number: str) -> str:
    """An IBAN, mostly of the document's country."""
    accounts = table("formats")["IBAN"]
    own = _IBAN_OF.get(doc.country, doc.country.upper())
    country = own if own in accounts and doc.maybe(0.8) else doc.pick(list(accounts))
    whole = doc.broken(checks.iban(country, doc.shaped(accounts[country][0])), 3)
    if variant == "spaced" or doc.maybe(0.35):
        return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))
    return whole


def bank_account(doc: Document, variant: str, number: str) -> str:
    """An account's number as its bank writes it."""
    account = doc.formatted("BANK_ACCOUNT", "jp_number" if variant == "jp" else variant)
    return doc.spoken(account) if variant == "spoken" else account


def routing_number(doc: Document, variant: str, number: str) -> str:
    """What names the bank beside the account: sort code, IFSC, BLZ, BSB, BIC or ABA number."""
    kind = variant
    if variant in ("", "local"):
        kind = _ROUTING.get(doc.country) or doc.pick(("bic", "bic", "aba", "blz"))
    if kind not in ("aba", "spoken"):
        return doc.formatted("ROUTING_NUMBER", kind)
    digits = f"{doc.pick((*range(1, 13), *range(21, 33))):02d}{doc.shaped('######')}"
    whole = doc.broken(digits + checks.aba(digits))
    return doc.spoken(whole) if kind == "spoken" else whole


def salary(doc: Document, variant: str, number: str) -> str:
    """What somebody earns, in the country's money."""
    pay = doc.number(22, 240) * 1000 + doc.pick((0, 0, 500, 250))
    if variant == "plain":
        return str(pay)
    if variant == "k":
        return doc.pick(("{}k", "${}k", "{}K", "€{}k", "£{}k", "${}k", "${}K")).format(pay // 1000)
    if variant == "spoken":
        return f"{in_words(doc.number(20, 99))} {doc.pick(('thousand', 'grand', 'k'))}"
    if variant == "month":
        pay = pay // 12 // 10 * 10
    forms = table("pay")
    form = doc.pick(forms.get(doc.country, forms["any"]))
    comma = f"{pay:,}"
    return form.format(plain=pay, comma=comma, dot=comma.replace(",", "."), space=comma.replace(",", " "))


VALUES = {
    "CREDIT_CARD": credit_card,
    "CVV": cvv,
    "IBAN": iban,
    "BANK_ACCOUNT": bank_account,
    "ROUTING_NUMBER": routing_number,
    "SALARY": salary,
}
