"""Text smuggled in characters that show nothing: Unicode tags and variation selectors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guard.metrics.reading.draft import Edit
from guard.metrics.reading.plausible import plausible

_TAG = "\U000e0020-\U000e007f"
_SELECTOR = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
#: Tags mirror the ASCII characters at this distance.
_TAG_BASE = 0xE0000
_CANCEL = "\U000e007f"
_BLACK_FLAG = "\U0001f3f4"
#: The only flags that tags spell in Unicode's emoji: England's, Scotland's and Wales's.
_REGIONS = frozenset({"gbeng", "gbsct", "gbwls"})
#: Fewer bytes than this are no message: emoji and ideographs carry single selectors.
_LEAST_BYTES = 3


def _scattered(hidden: str) -> re.Pattern[str]:
    # Up to three visible characters may stand between two hidden ones, so that spreading them out does not help.
    return re.compile(f"[{hidden}]++(?:[^{hidden}]{{1,3}}+[{hidden}]++)*+")


_TAGS, _SELECTORS = _scattered(_TAG), _scattered(_SELECTOR)


def tags(text: str) -> Iterator[Edit]:
    """Edits that put text smuggled in tags in plain sight, after the visible characters that it was spread over.

    Tags mirror ASCII (Unicode 16, 23.9). Those behind a black flag that spell a region's flag say nothing.
    """
    for match in _TAGS.finditer(text):
        run = match[0]
        hidden = "".join(chr(ord(char) - _TAG_BASE) for char in run if _is_tag(char) and char != _CANCEL)
        visible = "".join(char for char in run if not _is_tag(char))
        is_flag = text[match.start() - 1 : match.start()] == _BLACK_FLAG and hidden in _REGIONS and not visible
        if hidden and not is_flag:
            yield Edit(match.start(), match.end(), f"{visible} {hidden} ")


def selectors(text: str) -> Iterator[Edit]:
    """Edits that put UTF-8 bytes smuggled in variation selectors in plain sight, like `tags`.

    VS1 to VS16 carry the bytes 0 to 15, VS17 to VS256 the rest (the scheme of Paul Butler's "smuggling arbitrary data
    through an emoji", 2025).
    """
    for match in _SELECTORS.finditer(text):
        carried = bytes(byte for char in match[0] if (byte := _byte(char)) is not None)
        hidden = plausible(carried) if len(carried) >= _LEAST_BYTES else None
        if hidden:
            visible = "".join(char for char in match[0] if _byte(char) is None)
            yield Edit(match.start(), match.end(), f"{visible} {hidden} ")


def _is_tag(char: str) -> bool:
    return "\U000e0020" <= char <= _CANCEL


def _byte(char: str) -> int | None:
    if "\ufe00" <= char <= "\ufe0f":
        return ord(char) - 0xFE00
    if "\U000e0100" <= char <= "\U000e01ef":
        return ord(char) - 0xE0100 + 16
    return None
