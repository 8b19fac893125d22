"""YAML that knows its lines: every value of a file that people write can be found again by file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from guard.errors import PolicyError
from guard.policies.plain import Place, plain
from guard.policies.wording import said

MAX_BYTES = 1_000_000
#: Characters of a complaint; it may quote what was written.
MAX_TEXT = 400

#: The fields that could have been meant at a place where an unknown one was written.
Known: TypeAlias = Callable[[Place], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file's content as plain dicts, lists and scalars, and the line on which each part of it stands."""

    data: dict[str, Any]
    file: str
    lines: Mapping[Place, int]

    def place(self, path: Sequence[str | int]) -> Place:
        """The steps of a path that the file knows: pydantic also names union members, which no file holds."""
        found: Place = ()
        for step in path:
            if (*found, step) in self.lines:
                found = (*found, step)
        return found

    def where(self, path: Sequence[str | int] = ()) -> str:
        """`file:line` of the value at a path of keys and indexes, or of the nearest thing around it."""
        return f"{self.file}:{self.lines[self.place(path)]}"

    def problem(self, path: Sequence[str | int], text: str) -> str:
        """One line of a PolicyError."""
        text = " ".join(text.split())
        return f"{self.where(path)}: {text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + '…'}"

    def explain(self, error: ValidationError, path: Sequence[str | int] = (), *, known: Known) -> PolicyError:
        """pydantic's complaints about the value at `path`, with file, line and the nearest valid word."""
        complaints = error.errors(include_url=False)
        problems: dict[Place, str] = {}
        for one in complaints:
            if one["type"] == "too_short" and any(_inside(other["loc"], one["loc"]) for other in complaints):
                continue  # pydantic does not count the items that it complains about
            loc = (*path, *one["loc"])
            place = self.place(loc)
            missing = loc[-1:] if one["type"] == "missing" else ()
            # A value that fits no member of a union is complained about once a member: the first says it.
            problems.setdefault((*place, *missing), self.problem(loc, said(one, loc, place, known)))
        return PolicyError(*(text for place, text in problems.items() if not _misspelt(place, problems)))


def read(file: Path) -> Document:
    """The document in a file. Raises PolicyError where it cannot be read or is no YAML mapping."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"{file}:1: cannot be read: {error.strerror}") from None
    return parse(content, str(file))


def parse(content: bytes, file: str) -> Document:
    """The document in some bytes, shown as `file` in errors. Raises PolicyError."""
    if len(content) > MAX_BYTES:
        raise PolicyError(f"{file}:1: is larger than {MAX_BYTES:,} bytes; put long lists into files of their own")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PolicyError(f"{file}:{line}: is not UTF-8; save it as UTF-8") from None
    data, lines = plain(text, file)
    return Document(data, file, lines)


def _inside(loc: Sequence[str | int], outer: Sequence[str | int]) -> bool:
    return len(loc) > len(outer) and tuple(loc[: len(outer)]) == tuple(outer)


def _misspelt(missing: Place, problems: Mapping[Place, str]) -> bool:
    """Whether a missing field is one that was written wrongly beside it: then one complaint is enough."""
    fix = f"did you mean '{missing[-1]}'?" if missing else ""
    return bool(fix) and any(
        place[:-1] == missing[:-1] and text.endswith(fix) for place, text in problems.items() if place != missing
    )
