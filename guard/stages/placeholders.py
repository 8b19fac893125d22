"""What stands instead of a value that was redacted, and what can be put back for it."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from guard.stages.action import Redact
from guard.stages.addresses import BEFORE, addressed
from guard.stages.edit import Edit, apply
from guard.stages.fakes import fake, last_four
from guard.stages.whole_words import START, Found, WholeWords

PLACEHOLDER = re.compile(r"\[[A-Z0-9_]+_[0-9]+\]")
_WORDS = re.compile(r"\w+")
#: How often another fake is tried where one is taken; then a placeholder stands there.
TRIES = 20


@dataclass(slots=True)
class Placeholders:
    """What stands for the values of one turn: the same for the same value.

    In a `session` it is the same in every turn, whichever turns come along and in whatever order: numbers and fakes are
    drawn by `key` from the session and the value. Without one, placeholders are numbered in the order met. What may be
    put back and what may not never share one, or the one's answer would give the other away.
    """

    key: bytes = b""
    session: str = ""
    originals: dict[str, str] = field(default_factory=dict)
    restorable: set[str] = field(default_factory=set)
    _given: dict[tuple[str, str, str, bool], str] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _before: int = 0
    #: The fakes that may be put back, and the values that they and placeholders stand for: in a text, in a JSON text.
    _fakes: WholeWords = field(default_factory=WholeWords)
    _values: tuple[WholeWords, WholeWords] = field(default_factory=lambda: (WholeWords(), WholeWords()))
    #: Every word of the texts to keep clear of.
    _words: set[str] = field(default_factory=set)

    def of(self, value: str, label: str, action: Redact) -> str:
        """What stands instead of a value."""
        name = re.sub(r"[^A-Z0-9]+", "_", label.upper()).strip("_") or "REDACTED"
        if action.mask == "stars":
            return "*" * len(value)
        if action.mask == "last4":
            return last_four(value)
        if action.mask == "hash":
            return f"[{name}_{self._drawn('hash', value).hex()[:8]}]"
        stand_in = self._given.get((value, name, action.mask, action.restore))
        if stand_in is None:
            made_up = self._fake(value, label, restore=action.restore) if action.mask == "fake" else None
            stand_in = made_up or self._next(name, value)
            self._given[value, name, action.mask, action.restore] = stand_in
            self.originals[stand_in] = value
            if action.restore:
                self.restorable.add(stand_in)
                for in_json, values in enumerate(self._values):
                    values.add(self.original(stand_in, in_json=bool(in_json)), stand_in)
                if made_up:
                    self._fakes.add(made_up, made_up)
        return stand_in

    def avoid(self, texts: Iterable[str]) -> None:
        """Keep clear of what already looks like a placeholder in a text: it must not be given somebody's value back."""
        for text in texts:
            self._words.update(_WORDS.findall(text))
            for match in PLACEHOLDER.finditer(text):
                self.originals.setdefault(match[0], match[0])

    def keep_clear(self, random: Random) -> None:
        """Keep clear of placeholders in texts that are out of sight: number from somewhere that nobody has been."""
        self._before = random.randrange(10**5, 10**8)

    def found(self, text: str, before: str = "") -> Iterator[Found]:
        """Everything in a text that stands for a value that may be put back, in order; `before` stands before it."""
        if self.restorable:
            marked = (Found(*match.span(), match[0]) for match in PLACEHOLDER.finditer(text))
            known = (one for one in marked if one.stand_in in self.restorable)
            yield from sorted((*known, *self._fakes.found(text, before)))

    def begun(self, text: str) -> int:
        """How many characters at a text's end may be the beginning of one, so that more has to be seen of it."""
        if not self.restorable:
            return 0
        tail = text[text.rfind("[") :] if "[" in text else ""
        if tail and any(one != tail and one.startswith(tail) for one in self.restorable):
            return len(tail)
        for match in START.finditer(text, max(0, len(text) - max(self._fakes.lengths, default=0))):
            tail = text[match.start() :]
            # A whole one too: the word may go on.
            if any(one.startswith(tail) for one in self._fakes.stand_ins):
                return len(tail)
        return 0

    def shown(self, text: str, before: str = "") -> list[Found]:
        """The same without those in the address of a link or an image: they would leave for whoever wrote it."""
        found = list(self.found(text, before))
        if not found:
            return found
        before = before[-BEFORE:]
        within = addressed(before + text)
        return [one for one in found if not within(len(before) + one.start)]

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """The text with all that may be put back in it put back; but for a call's JSON (`in_json`) not in addresses."""
        return self._restored(text, self.found(text) if in_json else self.shown(text), in_json=in_json)

    def _restored(self, text: str, found: Iterable[Found], *, in_json: bool = False) -> str:
        return apply(text, (Edit(start, end, self.original(one, in_json=in_json)) for start, end, one in found))

    def restore_call(self, arguments: str) -> str:
        """A call's arguments with the originals in them: mostly they are JSON, but a custom tool takes any text."""
        if not self.restorable:
            return arguments
        return self._restored(arguments, self.found(arguments), in_json=_is_json(arguments))

    def hide(self, text: str, *, in_json: bool = False) -> str:
        """The text with every original that may be put back replaced by its placeholder, where it stands as a word."""
        return apply(text, (Edit(*found) for found in self._values[in_json].found(text)))

    def original(self, placeholder: str, *, in_json: bool = False) -> str:
        """What a placeholder stands for, itself where it may not be put back; `in_json` as the inside of a string."""
        if placeholder not in self.restorable:
            return placeholder
        original = self.originals[placeholder]
        return json.dumps(original, ensure_ascii=False)[1:-1] if in_json else original

    def _next(self, name: str, value: str) -> str:
        if self.session and not self._before:
            number = 1000 + int.from_bytes(self._drawn("number", self.session, name, value)[:4]) % 9000
        else:
            number = self._last.get(name, self._before) + 1
        while f"[{name}_{number}]" in self.originals:
            number += 1
        self._last[name] = number
        return f"[{name}_{number}]"

    def _fake(self, value: str, label: str, *, restore: bool) -> str | None:
        """A made-up value of the same form that nobody else has; None where there is none."""
        for attempt in range(TRIES):
            made_up = fake(value, label, self._drawn("fake", self.session, label, value, str(attempt)))
            if made_up is None:
                return None
            # What stands in a text already must not come to mean somebody's value. Asked by its words: to look for
            # every fake in every text takes minutes for a long list of addresses.
            taken = made_up in self.originals or (restore and self._words.issuperset(_WORDS.findall(made_up)))
            if made_up != value and not taken:
                return made_up
        return None

    def _drawn(self, *words: str) -> bytes:
        """Bytes that look random to who has not the key, always the same for the same words."""
        said = "\0".join(words).encode("utf-8", "replace")
        return hmac.digest(self.key, said, "sha256")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:  # nested deeper than any text that is not meant as JSON
        pass
    return True
