"""Rows of a file of JSON lines, read one at a time and written in the same way; `-` is a pipe, `.gz` is packed."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from guard.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it holds, and where it stands (`rows.jsonl:17`)."""

    place: str
    fields: Mapping[str, Any]

    def at(self, path: str) -> Any:
        """The field at a path such as `labels.toxic`; None where there is none."""
        found: Any = self.fields
        for name in [path] if path in self.fields else path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def refused(self, why: str) -> SettingsError:
        """The error to raise where the row cannot be used."""
        return SettingsError(f"{self.place}: {why}")

    @property
    def scores(self) -> Mapping[str, Any]:
        """What it has been scored already, by metric. Raises SettingsError where that is no object."""
        scores = self.fields.get("scores")
        if scores is not None and not isinstance(scores, Mapping):
            raise self.refused("'scores' is an object by metric; rename the field where it is something else")
        return scores or {}


def read(source: str, moved: Callable[[int], object] = lambda _: None) -> Iterator[Row]:
    """The rows of a file, or of standard input for `-`. Empty lines are none.

    `moved(bytes)` hears how far into the file, packed as it is, each row ends. Raises SettingsError, with the line,
    where a line is no JSON object in UTF-8, and where the file cannot be read.
    """
    try:
        with _opened(source) as (file, packed):
            for number, line in enumerate(file, start=1):
                moved(packed.tell() if packed.seekable() else 0)
                if line.strip():
                    yield row_of(line, f"{'<stdin>' if source == '-' else source}:{number}")
    except (EOFError, zlib.error, OSError) as error:
        raise SettingsError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def _opened(source: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The lines, and the file that they come from."""
    if source == "-":
        yield sys.stdin.buffer, sys.stdin.buffer
        return
    with Path(source).open("rb") as packed:
        if source.endswith(".gz"):
            with gzip.open(packed) as file:
                yield cast(BinaryIO, file), packed
        else:
            yield packed, packed


def row_of(line: bytes, place: str) -> Row:
    """The row that a line is; `place` is what errors call it. Raises SettingsError where it is none."""
    try:
        fields = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SettingsError(f"{place}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{place}: not JSON ({error}); write one object a line") from None
    if not isinstance(fields, dict):
        raise SettingsError(f'{place}: a row is an object such as {{"text": "…"}}, not {type(fields).__name__}')
    return Row(place, fields)


@contextmanager
def writing(target: str) -> Iterator[Callable[[Mapping[str, Any]], object]]:
    """A function that writes a row to the file, or to standard output for `-`. Raises SettingsError where it cannot."""
    try:
        if target == "-":
            yield lambda row: sys.stdout.buffer.write(_line(row))
            sys.stdout.buffer.flush()
        else:
            with (
                gzip.open(target, "wb", compresslevel=6) if target.endswith(".gz") else Path(target).open("wb") as file
            ):
                yield lambda row: file.write(_line(row))
    except BrokenPipeError:
        raise  # the reader of a pipe has had enough, which is no error of ours
    except OSError as error:
        raise SettingsError(f"{target} cannot be written ({error.strerror}); name another file with --out") from None


def _line(row: Mapping[str, Any]) -> bytes:
    # A lone surrogate has no UTF-8, and Python's backslash escape of it is JSON's.
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
