"""Check digits, each by the rule of who issues the number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"
#: Verhoeff's tables: multiplication in the dihedral group D5, the permutations by place, the inverses.
_PRODUCT = (
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
_PLACE = (
    *("0123456789", "1576283094", "5803796142", "8916043527"),
    *("9453126870", "4286573901", "2793806415", "7046913258"),
)
_INVERSE = "0432156789"


def weighted(digits: str, weights: Iterable[int]) -> int:
    """The sum of the digits, each times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def luhn(digits: str) -> str:
    """Of payment cards, and of Swedish and Canadian numbers."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


def iso7064(digits: str) -> str:
    """MOD 11,10 of ISO 7064, of the German tax number."""
    product = 10
    for digit in digits:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def verhoeff(digits: str) -> str:
    """Of Aadhaar, India."""
    check = 0
    for place, digit in enumerate(reversed(digits), start=1):
        check = int(_PRODUCT[check][int(_PLACE[place % 8][int(digit)])])
    return _INVERSE[check]


def cpf(digits: str) -> str:
    """The nine digits of a Brazilian CPF with their two check digits."""
    for length in (9, 10):
        digits += str(weighted(digits[:length], range(length + 1, 1, -1)) * 10 % 11 % 10)
    return digits


def nir(digits: str) -> str:
    """Of the French social security number."""
    return f"{97 - int(digits) % 97:02d}"


def dni(number: int) -> str:
    """The letter of a Spanish identity number."""
    return _SPANISH[number % len(_SPANISH)]


def pesel(digits: str) -> str:
    """Of the Polish PESEL."""
    return str(-weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def is_bsn(digits: str) -> bool:
    """Whether nine digits are a Dutch citizen's number."""
    return weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def nhs(digits: str) -> str:
    """Of the British NHS number; "10" where there is no such number."""
    return str((11 - weighted(digits, range(10, 1, -1)) % 11) % 11)


def aba(digits: str) -> str:
    """Of the routing number of a bank in the United States."""
    return str(-weighted(digits, (3, 7, 1, 3, 7, 1, 3, 7)) % 10)


def iban(country: str, account: str) -> str:
    """The IBAN of an account, by ISO 13616."""
    number = int("".join(str(int(sign, 36)) for sign in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02d}{account}"


def base58(payload: bytes) -> str:
    """Bytes with Bitcoin's checksum, in base 58."""
    raw = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, written = int.from_bytes(raw), ""
    while number:
        number, rest = divmod(number, 58)
        written = _BASE58[rest] + written
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + written
