"""Chance, and how values are written by the shapes of formats.yaml."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

T = TypeVar("T")
#: The share of values with a check digit in which it is wrong: mistyped numbers are personal too.
BROKEN = 0.15
_CLASSES = {
    "#": string.digits,
    "$": "23456789",
    "@": string.ascii_uppercase,
    "?": string.ascii_lowercase,
    "*": string.ascii_uppercase + string.digits,
    "%": "0123456789abcdef",
    "&": string.ascii_letters + string.digits,
    "~": "qpzry9x8gf2tvdw0s3jn54khce6mua7l",
}
_REPEATED = re.compile(r"(.)\{(\d+)\}")


@cache
def table(name: str) -> dict[str, Any]:
    """What a data file of this folder holds."""
    return YAML(typ="safe").load(Path(__file__).with_name(f"{name}.yaml").read_text("utf-8"))


class Draw:
    """Draws from one random source."""

    def __init__(self, random_: random.Random) -> None:
        self.random = random_

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return self.random.choice(choices)

    def maybe(self, share: float) -> bool:
        """Whether something happens that happens in this share of the cases."""
        return self.random.random() < share

    def number(self, least: int, most: int) -> int:
        """A number from `least` to `most`."""
        return self.random.randint(least, most)

    def shaped(self, shape: str) -> str:
        """A value of a shape as formats.yaml explains them."""
        shape = _REPEATED.sub(lambda match: match[1] * int(match[2]), shape)
        return "".join(self.pick(_CLASSES[sign]) if sign in _CLASSES else sign for sign in shape)

    def broken(self, value: str, at: int = -1) -> str:
        """The value, its check digit at `at` now and then a wrong one."""
        if not self.maybe(BROKEN):
            return value
        at %= len(value)
        alphabet = string.digits if value[at].isdigit() else string.ascii_uppercase
        return value[:at] + self.pick(alphabet.replace(value[at], "")) + value[at + 1 :]

    def spoken(self, value: str) -> str:
        """The digits and letters of a value as a caller would read them out."""
        said: list[str] = []
        zero, manner, at = self.pick(("zero", "oh", "zero")), self.random.random(), 0
        signs = [sign.lower() for sign in value if sign.isalnum()]
        while at < len(signs):
            sign, pair = signs[at], "".join(signs[at : at + 2])
            if manner < 0.25 and sign.isdigit() and pair == sign * 2:
                said += ["double", _digit(sign, zero)]
                at += 2
            elif manner > 0.8 and pair.isdigit() and len(pair) == 2 and sign != "0" and self.maybe(0.5):
                said.append(in_words(int(pair)))
                at += 2
            else:
                said.append(_digit(sign, zero) if sign.isdigit() else sign)
                at += 1
        return " ".join(said)


def in_words(number: int) -> str:
    """A number from 0 to 99 in words."""
    ones, tens = table("words")["ones"], table("words")["tens"]
    if number < len(ones):
        return ones[number]
    return tens[number // 10] + (f" {ones[number % 10]}" if number % 10 else "")


def _digit(digit: str, zero: str) -> str:
    return zero if digit == "0" else in_words(int(digit))
