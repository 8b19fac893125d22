"""Numbers that name a person: identity cards, passports, licences, plates, patients."""

from __future__ import annotations

from guard.training.pii.made import checks
from guard.training.pii.made.document import Document, folded
from guard.training.pii.made.draw import table

#: The countries whose identity numbers stand for those of the others.
_COMMON = ("uk", "de", "fr", "es", "in", "br", "it", "nl", "se", "pl", "ca", "pan", "sg", "ae")


def ssn(doc: Document, variant: str, number: str) -> str:
    """A United States Social Security number; a few of ranges that are not given out."""
    area = doc.pick((0, 666, 900, 999)) if doc.maybe(0.08) else doc.number(1, 665)
    digits = f"{area:03d}{doc.number(1, 99):02d}{doc.number(1, 9999):04d}"
    if variant == "last4":
        return digits[-4:]
    if variant == "spoken":
        return doc.spoken(digits)
    separator = {"plain": "", "spaced": " "}.get(variant, "-" if doc.maybe(0.85) else " ")
    return separator.join((digits[:3], digits[3:5], digits[5:]))


def national_id(doc: Document, variant: str, number: str) -> str:
    """An identity, tax or insurance number of the variant's country, else of the document's."""
    formats = table("formats")["NATIONAL_ID"]
    country = variant or (doc.country if doc.country in formats or doc.country in _CHECKED else doc.pick(_COMMON))
    return _CHECKED[country](doc) if country in _CHECKED else doc.formatted("NATIONAL_ID", country)


def driver_license(doc: Document, variant: str, number: str) -> str:
    """A driving licence number; Britain's is made of the driver's name and birthday."""
    if doc.country != "uk":
        return doc.formatted("DRIVER_LICENSE")
    name = (folded((doc.recent or doc.newcomer()).last).upper() + "99999")[:5]
    decade, year = doc.number(5, 9), doc.number(0, 9)
    return f"{name}{decade}{doc.number(1, 12):02d}{doc.number(1, 28):02d}{year}{doc.shaped('@9#@@')}"


def license_plate(doc: Document, variant: str, number: str) -> str:
    """A vehicle's plate."""
    plate = doc.formatted("LICENSE_PLATE", variant)
    return doc.spoken(plate) if variant == "spoken" else plate


def medical_record(doc: Document, variant: str, number: str) -> str:
    """A hospital's number of a patient, or Britain's NHS number."""
    if variant != "nhs":
        return doc.formatted("MEDICAL_RECORD")
    digits = doc.shaped("4########")
    while (check := checks.nhs(digits)) == "10":
        digits = doc.shaped("4########")
    whole = doc.broken(digits + check)
    return doc.pick((whole, _grouped(whole, 3, 3, 4)))


def _german(doc: Document) -> str:
    if doc.maybe(0.4):
        return "L" + doc.shaped("%{8}").upper()
    digits = doc.shaped("$#########")
    whole = doc.broken(digits + checks.iso7064(digits))
    return doc.pick((whole, _grouped(whole, 2, 3, 3, 3)))


def _french(doc: Document) -> str:
    digits = doc.pick("12") + _born(doc)[:4] + f"{doc.number(1, 95):02d}" + doc.shaped("######")
    whole = doc.broken(digits + checks.nir(digits))
    return doc.pick((whole, _grouped(whole, 1, 2, 2, 2, 3, 3, 2)))


def _spanish(doc: Document) -> str:
    if doc.maybe(0.25):
        first, digits = doc.pick((0, 1, 2)), doc.shaped("#######")
        return doc.broken("XYZ"[first] + digits + checks.dni(int(f"{first}{digits}")))
    digits = doc.shaped("########")
    whole = doc.broken(digits + checks.dni(int(digits)))
    return doc.pick((whole, f"{whole[:8]}-{whole[8]}", f"{whole[:2]}.{whole[2:5]}.{whole[5:8]}-{whole[8]}"))


def _indian(doc: Document) -> str:
    digits = doc.shaped("$##########")
    return _grouped(doc.broken(digits + checks.verhoeff(digits)), 4, 4, 4, by=doc.pick(("", " ", " ", "-")))


def _brazilian(doc: Document) -> str:
    whole = doc.broken(checks.cpf(doc.shaped("#########")))
    return whole if doc.maybe(0.3) else f"{whole[:3]}.{whole[3:6]}.{whole[6:9]}-{whole[9:]}"


def _italian(doc: Document) -> str:
    return doc.shaped("@@@@@@##") + doc.pick("ABCDEHLMPRST") + f"{doc.number(1, 28):02d}" + doc.shaped("@###@")


def _dutch(doc: Document) -> str:
    digits = doc.shaped("$########")
    while not checks.is_bsn(digits):
        digits = doc.shaped("$########")
    return doc.broken(digits)


def _swedish(doc: Document) -> str:
    digits = _born(doc) + doc.shaped("###")
    whole = doc.broken(digits + checks.luhn(digits))
    return doc.pick((f"{whole[:6]}-{whole[6:]}", f"19{whole[:6]}-{whole[6:]}", whole))


def _polish(doc: Document) -> str:
    digits = _born(doc) + doc.shaped("####")
    return doc.broken(digits + checks.pesel(digits))


def _canadian(doc: Document) -> str:
    digits = doc.shaped("$#######")
    return _grouped(doc.broken(digits + checks.luhn(digits)), 3, 3, 3, by=doc.pick((" ", "-", "")))


def _born(doc: Document) -> str:
    """Year, month and day of somebody's birth, two digits each."""
    return f"{doc.number(40, 99):02d}{doc.number(1, 12):02d}{doc.number(1, 28):02d}"


def _grouped(digits: str, *lengths: int, by: str = " ") -> str:
    starts = [sum(lengths[:at]) for at in range(len(lengths))]
    return by.join(digits[start : start + length] for start, length in zip(starts, lengths, strict=True))


_CHECKED = {
    "de": _german,
    "fr": _french,
    "es": _spanish,
    "in": _indian,
    "br": _brazilian,
    "it": _italian,
    "nl": _dutch,
    "se": _swedish,
    "pl": _polish,
    "ca": _canadian,
}
VALUES = {
    "SSN": ssn,
    "NATIONAL_ID": national_id,
    "PASSPORT": lambda doc, variant, number: doc.formatted("PASSPORT"),
    "DRIVER_LICENSE": driver_license,
    "LICENSE_PLATE": license_plate,
    "MEDICAL_RECORD": medical_record,
    "INSURANCE_ID": lambda doc, variant, number: doc.formatted("INSURANCE_ID"),
}
