"""Texts disturbed as attackers and people in a hurry disturb them: case, typos, spaces, spelling, cuts."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from guard.training.spec import Augment, Disturbance

_LEET = str.maketrans("aeiost", "431057")
_NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip


def augmented(text: str, spec: Augment, chance: random.Random) -> str:
    """The text, disturbed by no, one or several of the spec's kinds."""
    share = spec.chance
    while chance.random() < share:
        text = KINDS[chance.choices(list(spec.kinds), list(spec.kinds.values()))[0]](text, chance)
        share = spec.again
    return text


def recased(text: str, spec: Augment, chance: random.Random) -> str:
    """The text in another case, sometimes: what keeps every mark where it is."""
    if chance.random() >= spec.recased:
        return text
    other = text.lower() if chance.random() < 0.8 else text.upper()
    return other if len(other) == len(text) else text


def upper(text: str, chance: random.Random) -> str:
    """All in capitals."""
    return text.upper()


def lower(text: str, chance: random.Random) -> str:
    """All in small letters."""
    return text.lower()


def mixed(text: str, chance: random.Random) -> str:
    """Case at random: LiKe thIS."""
    return "".join(letter.upper() if chance.random() < 0.5 else letter.lower() for letter in text)


def title(text: str, chance: random.Random) -> str:
    """Each Word Capitalised."""
    return string.capwords(text, " ")


def typos(text: str, chance: random.Random) -> str:
    """A twentieth of the letters slips: a neighbour on the keyboard, one lost, two swapped, one doubled."""
    letters = list(text)
    for at in range(len(letters) - 1):
        if letters[at].isalpha() and chance.random() < 0.05:
            slip = chance.randrange(4)
            if slip == 0:
                letters[at] = chance.choice(_NEAR.get(letters[at].lower(), letters[at]))
            elif slip == 1:
                letters[at] = ""
            elif slip == 2:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            else:
                letters[at] *= 2
    return "".join(letters)


def leet(text: str, chance: random.Random) -> str:
    """Some or all of a, e, i, o, s and t as figures."""
    share = chance.choice([0.3, 0.6, 1.0])
    return "".join(letter.translate(_LEET) if chance.random() < share else letter for letter in text)


def spaced(text: str, chance: random.Random) -> str:
    """A few words or the whole s p a c e d or d-o-t-t-e-d."""
    between = chance.choice([" ", "-", ".", "_"])
    whole = chance.random() < 0.3 and len(text) < 200
    words = [
        between.join(word) if len(word) > 3 and (whole or chance.random() < 0.15) else word for word in text.split(" ")
    ]
    return " ".join(words)


def joined(text: str, chance: random.Random) -> str:
    """Some spaces lost."""
    words = text.split(" ")
    return words[0] + "".join(("" if chance.random() < 0.2 else " ") + word for word in words[1:])


def stripped(text: str, chance: random.Random) -> str:
    """Without punctuation."""
    return text.translate(str.maketrans("", "", string.punctuation))


def lines(text: str, chance: random.Random) -> str:
    """Broken into lines of a few words."""
    words = text.split(" ")
    return "".join(word + ("\n" if chance.random() < 0.15 else " ") for word in words).strip()


def ending(text: str, chance: random.Random) -> str:
    """Another end: none, or noise."""
    return text.rstrip(".!? ") + chance.choice(["", "", ".", "!!!", " ...", " thx", "?", " :)", " pls", "\n\n"])


KINDS: dict[Disturbance, Callable[[str, random.Random], str]] = {
    "upper": upper,
    "lower": lower,
    "mixed": mixed,
    "title": title,
    "typos": typos,
    "leet": leet,
    "spaced": spaced,
    "joined": joined,
    "stripped": stripped,
    "lines": lines,
    "ending": ending,
}
