"""Text in an encoding: base64, hexadecimal, binary, URL-encoding, HTML entities and the escapes of program texts."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator

from guard.metrics.reading.decoder import Decoder
from guard.metrics.reading.draft import Edit
from guard.metrics.reading.plausible import plausible

_SYMBOL = "[A-Za-z0-9+/_-]"
_BASE64 = re.compile(rf"{_SYMBOL}{{16,}}+(?:\r?\n{_SYMBOL}++)*+={{0,2}}")
_BASE64_PARTS = re.compile(r"[^/_\n\r-]{16,}")
_BYTE = r"(?:0[xX])?[0-9A-Fa-f]{2}"
_HEX = re.compile(rf"\b(?:0[xX])?(?:[0-9A-Fa-f]{{2}}){{8,}}\b|\b{_BYTE}(?:[ ,:\n]{{1,2}}{_BYTE}){{7,}}\b")
_HEX_PAIR = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{2})")
_BINARY = re.compile(r"\b[01]{8}(?:[ ,\n]{0,2}[01]{8}){3,}\b")
_DECIMAL = re.compile(r"\b[0-9]{1,3}(?:(?:, ?| )[0-9]{1,3}){7,}\b")
_NUMBER = re.compile("[0-9]+")
_LETTERS = 0.8
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})++")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z][A-Za-z0-9]{1,30};)")
_ESCAPE = re.compile(
    r"(?:\\x[0-9A-Fa-f]{2})++|(?:(?:\\u|%u)[0-9A-Fa-f]{4})++|\\u\{[0-9A-Fa-f]{1,6}\}|\\U[0-9A-Fa-f]{8}|\\[nrtbf\"'/\\]"
)
#: Escaped characters in one run, beyond which the run is one edit: where each of them stood matters in prose only.
_MOST_APART = 2_000
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "", "f": "\n"}


def from_base64(text: str) -> Iterator[Edit]:
    """Runs of 16 or more characters of the base64 or base64url alphabet (RFC 4648), also wrapped over lines."""
    for match in _BASE64.finditer(text):
        decoded = _base64(match[0])
        if decoded is not None:
            yield Edit(match.start(), match.end(), decoded)
            continue
        # A path or a hyphenated phrase may have the encoded text as one of its parts.
        for part in _BASE64_PARTS.finditer(match[0]):
            decoded = _base64(part[0])
            if decoded is not None:
                yield Edit(match.start() + part.start(), match.start() + part.end(), decoded)


def _base64(run: str) -> str | None:
    symbols = "".join(run.split()).rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    symbols = symbols[: len(symbols) - (len(symbols) % 4 == 1)]
    try:
        return plausible(base64.b64decode(symbols + "=" * (-len(symbols) % 4)))
    except binascii.Error:
        return None


def from_hex(text: str) -> Iterator[Edit]:
    """Eight or more bytes in hexadecimal: in one run, or in pairs with spaces, commas or colons, with or without 0x."""
    for match in _HEX.finditer(text):
        decoded = plausible(bytes.fromhex("".join(_HEX_PAIR.findall(match[0]))))
        if decoded is not None:
            yield Edit(match.start(), match.end(), decoded)


def from_binary(text: str) -> Iterator[Edit]:
    """Four or more bytes in ones and zeros."""
    for match in _BINARY.finditer(text):
        digits = "".join(char for char in match[0] if char in "01")
        decoded = plausible(bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8)))
        if decoded is not None:
            yield Edit(match.start(), match.end(), decoded)


def from_decimal(text: str) -> Iterator[Edit]:
    """Eight or more printable characters of ASCII by their numbers, with spaces or commas between."""
    for match in _DECIMAL.finditer(text):
        codes = [int(number) for number in _NUMBER.findall(match[0])]
        if all(32 <= code < 127 or code in (9, 10, 13) for code in codes):
            decoded = bytes(codes).decode()
            # Figures of a table are seldom letters.
            if sum(char.isalpha() or char == " " for char in decoded) >= len(decoded) * _LETTERS:
                yield Edit(match.start(), match.end(), decoded)


def from_percent(text: str) -> Iterator[Edit]:
    """URL-encoding (RFC 3986), each character by itself."""
    for match in _PERCENT.finditer(text):
        yield from _bytes(match.start(), bytes.fromhex(match[0].replace("%", "")), 3)


def from_entities(text: str) -> Iterator[Edit]:
    """HTML's character references, each by itself."""
    for match in _ENTITY.finditer(text):
        decoded = html.unescape(match[0])
        if decoded != match[0]:
            yield Edit(match.start(), match.end(), decoded)


def from_escapes(text: str) -> Iterator[Edit]:
    r"""The escapes of JSON, JavaScript and Python: \u0069, \u{69}, \U00000069, \x69, %u0069, \n, \"; each by itself."""
    for match in _ESCAPE.finditer(text):
        start, escape = match.start(), match[0]
        kind = escape[1]
        if kind == "x":
            yield from _bytes(start, bytes.fromhex(escape.replace("\\x", "")), 4)
        elif kind == "U" or escape.startswith("\\u{"):
            code = int(escape.strip("\\Uu{}"), 16)
            yield Edit(start, match.end(), chr(code) if code <= 0x10FFFF else "\ufffd")
        elif kind == "u":
            units = bytes.fromhex(escape.replace("\\u", "").replace("%u", ""))
            decoded = units.decode("utf-16-be", errors="replace")
            yield from _spread(start, decoded, lambda char: 12 if char > "\uffff" else 6)
        else:
            yield Edit(start, match.end(), _SIMPLE_ESCAPES.get(kind, kind))


def _bytes(start: int, data: bytes, width: int) -> Iterator[Edit]:
    """Edits for escaped bytes, `width` characters each: UTF-8 where they are, else Latin-1."""
    try:
        yield from _spread(start, data.decode("utf-8"), lambda char: width * len(char.encode()))
    except UnicodeDecodeError:
        yield from _spread(start, data.decode("latin-1"), lambda _: width)


def _spread(start: int, decoded: str, width: Callable[[str], int]) -> Iterator[Edit]:
    if len(decoded) > _MOST_APART:
        yield Edit(start, start + sum(map(width, decoded)), decoded)
        return
    for char in decoded:
        end = start + width(char)
        yield Edit(start, end, char)
        start = end


#: Where two claim the same characters the earlier one has them.
DECODERS = (
    # Unlike a long word, base64 has capitals and digits inside.
    Decoder("base64", r"[A-Za-z0-9+/][A-Z0-9][A-Za-z0-9+/]{8}|[A-Za-z0-9+/]{8}[A-Z0-9]", from_base64),
    Decoder("hex", rf"[0-9A-Fa-f]{{16}}|{_BYTE}(?:[ ,:\n]{{1,2}}{_BYTE}){{7}}", from_hex),
    Decoder("binary", r"[01]{8}[ ,\n]{0,2}[01]{8}", from_binary),
    Decoder("decimal", r"[0-9]{2,3}(?:(?:, ?| )[0-9]{2,3}){3}", from_decimal),
    Decoder("url", r"%[0-9A-Fa-f]{2}", from_percent),
    Decoder("html", r"&(?:#[0-9xX]|[A-Za-z][A-Za-z0-9]{1,30};)", from_entities),
    Decoder("escapes", r"\\[xuUnrtbf\"'/\\]|%u[0-9A-Fa-f]{4}", from_escapes),
)
