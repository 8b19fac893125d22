"""Made-up values of the form of real ones: what reads them goes on working, and nobody is meant by them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from string import ascii_lowercase, ascii_uppercase, digits

#: A value with fewer letters and digits than this gets no fake: so short a one stands in every other sentence.
SHORTEST = 6
#: Of how many letters and digits at least the last four may be shown.
SHOWN_OF = 8
NAMES = frozenset({"name", "person", "first_name", "last_name"})

_IBAN = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_ESCAPED = re.compile(r"[^ !#-\[\]-~]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
#: Reserved for documentation (RFC 2606, 5737, 3849): they lead to nobody.
_DOMAINS = ("example.com", "example.net", "example.org")
_NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.")


def fake(value: str, label: str, seed: bytes) -> str | None:
    """A value of the same form: the same one for the same seed. None where it would be too short to be told apart.

    An e-mail address, a card (Luhn), an IBAN (mod 97), an IP address and a telephone number are known by their form,
    names by their label; anything else keeps its length and which of its characters are digits and letters.
    """
    random = Random(seed)
    for form in _FORMS:
        made_up = form(value, label, random)
        if made_up is not None:
            return _plain(made_up)
    return _plain(_same_shape(value, random)) if sum(map(str.isalnum, value)) >= SHORTEST else None


def last_four(value: str) -> str:
    """The value with all but its last four letters and digits as stars; all of them where it is short."""
    shown = 4 if sum(map(str.isalnum, value)) >= SHOWN_OF else 0
    kept: list[str] = []
    for character in reversed(value):
        if character.isalnum():
            kept.append(character if shown > 0 else "*")
            shown -= 1
        else:
            kept.append(character if character in " -./+()" else "*")
    return "".join(reversed(kept))


def _email(value: str, label: str, random: Random) -> str | None:
    if not _EMAIL.fullmatch(value):
        return None
    given, family = (random.choice(names).lower() for names in _names())
    return f"{given}.{family}{random.randrange(10, 100)}@{random.choice(_DOMAINS)}"


def _address(value: str, label: str, random: Random) -> str | None:
    try:
        version = ipaddress.ip_address(value).version
    except ValueError:
        return None
    if version == 4:
        return f"{random.choice(_NETWORKS)}{random.randrange(1, 255)}"
    return f"2001:db8::{random.randrange(1, 1 << 16):x}:{random.randrange(1, 1 << 16):x}"


def _iban(value: str, label: str, random: Random) -> str | None:
    if not _IBAN.fullmatch(value) or _mod97(value) != 1:
        return None
    account = "".join(map(_drawer(random), value[4:]))
    check = 98 - _mod97(f"{value[:2]}00{account}")
    return f"{value[:2]}{check:02}{account}"


def _card(value: str, label: str, random: Random) -> str | None:
    number = [int(one) for one in value if one.isdecimal()]
    if not 13 <= len(number) <= 19 or any(one not in " -" + digits for one in value) or _luhn(number):
        return None
    # The first two tell the network, which says how long a number is.
    made_up = [*number[:2], *(random.randrange(10) for _ in number[3:]), 0]
    made_up[-1] = -_luhn(made_up) % 10
    return _refilled(value, made_up)


def _phone(value: str, label: str, random: Random) -> str | None:
    if not (value.startswith("+") or "phone" in label) or sum(map(str.isdecimal, value)) < SHORTEST:
        return None
    number = [int(one) for one in value if one.isdecimal()]
    # One digit more than the country's code: what comes next tells whether it is a mobile one.
    kept = 1 + (_country_code(number) if value.startswith("+") else 1)
    return _refilled(value, [*number[:kept], *(random.randrange(10) for _ in number[kept:])])


def _name(value: str, label: str, random: Random) -> str | None:
    if label.lower() not in NAMES:
        return None
    given, family = _names()
    words = [random.choice(family if number else given) for number, _ in enumerate(value.split())]
    name = " ".join(words)
    return name.upper() if value.isupper() else name.lower() if value.islower() else name


_FORMS: tuple[Callable[[str, str, Random], str | None], ...] = (_email, _address, _iban, _card, _phone, _name)


def _same_shape(value: str, random: Random) -> str:
    return "".join(map(_drawer(random), value))


def _drawer(random: Random) -> Callable[[str], str]:
    def drawn(character: str) -> str:
        if character.isdecimal():
            return random.choice(digits)
        if character.isalpha():
            return random.choice(ascii_uppercase if character.isupper() else ascii_lowercase)
        return character

    return drawn


def _plain(made_up: str) -> str:
    """Without what stands otherwise in a JSON text, where it could not be found again."""
    return _ESCAPED.sub(lambda match: " " if match[0].isspace() else "-", made_up)


def _refilled(value: str, number: list[int]) -> str:
    """The value with its digits replaced, in order."""
    rest = iter(number)
    return "".join(str(next(rest)) if character.isdecimal() else character for character in value)


def _luhn(number: list[int]) -> int:
    """The Luhn sum modulo 10: 0 for a number that passes."""
    doubled = (2 * one if place % 2 else one for place, one in enumerate(reversed(number)))
    return sum(one - 9 if one > 9 else one for one in doubled) % 10


def _mod97(iban: str) -> int:
    """The remainder of ISO 13616: 1 for an IBAN that passes."""
    plain = iban.replace(" ", "")
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97


def _country_code(number: list[int]) -> int:
    """How many digits the country's calling code has."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    said = "".join(map(str, number[:3]))
    return next((length for length in (1, 2, 3) if int(said[:length]) in COUNTRY_CODE_TO_REGION_CODE), 2)


@cache
def _names() -> tuple[list[str], list[str]]:
    """Given names and family names."""
    given, family = Path(__file__).with_name("fake_names.txt").read_text("utf-8").split("\n\n")
    return given.split(), family.split()
