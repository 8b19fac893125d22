"""Regular expressions that take linear time whatever the text: RE2's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

import re2

Text = TypeVar("Text", str, bytes)

#: Bytes that one pattern's automaton may grow to; RE2 then starts it afresh.
_AUTOMATON = 32 << 20


class Match(Protocol):
    """Where a pattern matched: characters of a str, bytes of bytes."""

    def start(self) -> int:
        """Where it starts."""
        ...

    def end(self) -> int:
        """Where it ends, exclusive."""
        ...


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str | bytes, pos: int | None = None) -> Match | None:
        """The first match at or after `pos`."""
        ...

    def match(self, text: str | bytes, pos: int | None = None, endpos: int | None = None) -> Match | None:
        """The match that starts at `pos`."""
        ...

    def finditer(self, text: str | bytes) -> Iterator[Match]:
        """Every match, one after the other."""
        ...


def compiled(pattern: str, *, case_sensitive: bool = True, longest: bool = False, memory: int = _AUTOMATON) -> Pattern:
    """A pattern in RE2's syntax, for text without lone surrogates. Of several matches at one place it takes the first
    alternative, or with `longest` the longest.

    Raises ValueError with RE2's message where it does not compile.
    """
    options = re2.Options()
    options.case_sensitive = case_sensitive
    options.longest_match = longest
    options.never_capture = True
    options.log_errors = False
    options.max_mem = memory
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        message = error.args[0]
        raise ValueError(message.decode() if isinstance(message, bytes) else str(message)) from None
