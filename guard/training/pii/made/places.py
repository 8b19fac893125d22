"""Places, addresses, and organisations."""

from __future__ import annotations

import re

from guard.training.pii.made.document import Document
from guard.training.pii.made.draw import in_words, table

#: Countries that write postcode behind the town, and the rest of the English-speaking ones.
_TOWN_FIRST = ("en_GB", "en_IN", "en_CA", "en_AU", "en_NZ", "en_IE", "en_KE", "en_NG")
_CITIES_OF = {"city_en": "ja_en", "city_nl": "nl_NL", "city_se": "sv_SE", "city_ca": "en_CA", "city_au": "en_AU"}
_LISTS = {"country": "countries", "landmark": "landmarks", "neighborhood": "neighbourhoods"}


def location(doc: Document, variant: str, number: str) -> str:
    """A city, or the kind of place that the variant says."""
    places = table("places")
    if variant in _LISTS:
        return doc.pick(places[_LISTS[variant]])
    if variant == "region":
        regions = places["regions"]
        return doc.pick(regions[doc.locale if doc.locale in regions and doc.maybe(0.7) else "world"])
    if variant in _CITIES_OF:
        return doc.pick(places["cities"][_CITIES_OF[variant]])
    return city(doc).lower() if variant == "city_lower" else city(doc)


def city(doc: Document) -> str:
    """A city of the document's country, sometimes of another."""
    cities = table("places")["cities"]
    # Faker's Italian cities do not follow its seed, and its Japanese ones are not in English.
    ours = doc.locale == "it_IT" or (doc.fixed and doc.locale == "ja_JP")
    if ours or (doc.locale in cities and doc.maybe(0.8 if doc.fixed else 0.6)):
        return doc.pick(cities[doc.locale])
    return doc.pick(cities["world"]) if doc.maybe(0.6) else doc.faker.city().strip()


def address(doc: Document, variant: str, number: str) -> str:
    """A street address as the variant writes it."""
    if variant in ("zip", "zip_ca"):
        return doc.formatted("ZIP", variant.removeprefix("zip_"))
    if variant == "po_box":
        box = ("PO Box", "P.O. Box", "P. O. Box", "Postfach", "Private Bag", "BP", "Apartado")
        return f"{doc.pick(box)} {doc.number(11, 99999)}"
    if variant == "apartment":
        return _apartment(doc)
    if variant == "lower":
        return street(doc).lower()
    if variant == "spoken":
        return f"{in_words(doc.number(1, 99))} {doc.pick(table('places')['streets']).lower()}"
    if variant == "jp":
        return doc.pick(("", doc.shaped("〒###-#### "))) + doc.fakers("ja_JP").address().replace("\n", " ")
    if variant == "jp_en":
        quarter = doc.pick(("Ebisu", "Honcho", "Sakae", "Kitamachi", "Motomachi", "Nakano"))
        town = doc.pick(table("places")["cities"]["ja_en"])
        return f"{doc.shaped('$-$-$#')} {quarter}, {town} {doc.shaped('###-####')}"
    if variant == "street":
        return street(doc)
    return _full(doc, "\n" if variant == "multiline" else ", ")


def street(doc: Document) -> str:
    """House number and street, in the country's order."""
    if (doc.locale.startswith("en_") and doc.maybe(0.6)) or doc.locale == "fil_PH":
        house = doc.number(1, 9999 if doc.locale == "en_US" else 240)
        return f"{house}{doc.pick(('', '', '', 'A', 'b'))} {doc.pick(table('places')['streets'])}"
    return re.sub(r"\s*\n\s*", ", ", doc.faker.street_address().strip())


def _apartment(doc: Document) -> str:
    unit = doc.pick(("Apt ", "Apt. ", "Unit ", "Flat ", "#", "Suite ")) + doc.shaped(doc.pick(("$", "##", "#@", "@$")))
    return doc.pick((f"{street(doc)}, {unit}", f"{unit}, {street(doc)}", f"{street(doc)} {unit}"))


def _full(doc: Document, separator: str) -> str:
    town, postcode = city(doc), doc.formatted("ZIP")
    if doc.locale == "en_US":
        tail = f"{town}, {doc.faker.state_abbr()} {postcode}"
    elif doc.locale in _TOWN_FIRST:
        dash = f"{town} - {postcode}" if doc.locale == "en_IN" else f"{town} {postcode}"
        tail = doc.pick((f"{town}{separator}{postcode}", f"{town} {postcode}", dash))
    elif doc.locale == "pt_BR":
        tail = f"{town} - {doc.pick(('SP', 'RJ', 'MG', 'BA', 'PR', 'RS'))}, {postcode}"
    else:
        tail = f"{postcode} {town}"
    if doc.maybe(0.12):
        tail += separator + doc.pick(table("places")["countries"])
    return f"{street(doc)}{separator}{tail}"


def organization(doc: Document, variant: str, number: str) -> str:
    """A firm, or a bank, agency, school or hospital."""
    known = table("organisations")
    if variant in ("bank", "agency"):
        return doc.pick(known["banks" if variant == "bank" else "agencies"])
    if variant in ("school", "hospital"):
        if variant == "school" and doc.maybe(0.15):
            return doc.pick(known["real_schools"])
        cities = table("places")["cities"]
        return doc.pick(known[f"{variant}s"]).format(
            c=doc.pick(cities.get(doc.locale, cities["world"])), l=doc.faker.last_name(), s=doc.pick(known["saints"])
        )
    firm = _firm(doc, variant == "company_en")
    return firm.lower() if variant == "company_lower" else firm


def _firm(doc: Document, english: bool) -> str:
    known, share = table("organisations"), doc.random.random()
    if english or share < 0.45:
        return doc.pick(known["stems"]) + (f" {doc.pick(known['suffixes'])}" if doc.maybe(0.8) else "")
    if share < 0.7 or doc.locale == "ja_JP":
        return doc.pick(known["real"])
    return doc.faker.company()


VALUES = {"LOCATION": location, "ADDRESS": address, "ORGANIZATION": organization}
