"""Labelled rows of a file: CSV, TSV or JSON lines, each also packed (.gz). Read twice, so never from a pipe."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, cast

from guard.errors import SettingsError
from guard.evaluate.rows import Row
from guard.evaluate.rows import read as read_lines

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")


def read(file: Path) -> Iterator[Row]:
    """The rows, each with its place (`labelled.csv:17`). Raises SettingsError where one cannot be read."""
    name = file.name.lower().removesuffix(".gz")
    if name.endswith(LINES):
        yield from read_lines(str(file))
        return
    delimiter = DELIMITERS.get(Path(name).suffix)
    if delimiter is None:
        raise SettingsError(f"{file}: what is in it? Name it .csv, .tsv or .jsonl, or one of these with .gz behind")
    try:
        with _opened(file) as text:
            yield from _table(text, delimiter, file)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8 (byte {error.start} of a stretch); save the file as UTF-8") from None
    except (EOFError, zlib.error, OSError) as error:
        raise SettingsError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _opened(file: Path) -> IO[str]:
    packed = file.open("rb")
    plain = cast("IO[bytes]", gzip.GzipFile(fileobj=packed)) if file.name.lower().endswith(".gz") else packed
    return io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")


def _table(text: IO[str], delimiter: str, file: Path) -> Iterator[Row]:
    header = text.readline()
    if delimiter == "," and "," not in header and ";" in header:
        delimiter = ";"  # as spreadsheets write it where the comma is in numbers
    csv.field_size_limit(sys.maxsize)
    (names,) = csv.reader([header], delimiter=delimiter) if header.strip() else ((),)
    table = csv.reader(text, delimiter=delimiter)
    try:
        for fields in table:
            place = f"{file}:{table.line_num + 1}"
            if len(fields) > len(names):
                raise SettingsError(f"{place}: {len(fields)} fields under {len(names)} names; put quotes around texts")
            if fields:
                yield Row(place, dict(zip_longest(names, fields)))
    except csv.Error as error:
        raise SettingsError(f"{file}:{table.line_num + 1}: no CSV ({error}); put quotes around texts") from None


def field(row: Row, name: str) -> Any:
    """What a row has in a field (a path), None where that is missing or blank."""
    value = row.at(name)
    return None if isinstance(value, str) and not value.strip() else value
