"""Whether decoded bytes are text that somebody wrote, rather than chance."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
_NO_WORD = re.compile(r"[^\w\s]")
#: What a text may hold of characters that do not print, and of characters that are neither word nor space.
_MOST_UNPRINTABLE, _MOST_SIGNS = 0.1, 0.7


def plausible(data: bytes) -> str | None:
    """The bytes as UTF-8 text, or None where too much of it does not print or stands in no word."""
    # PowerShell takes base64 of UTF-16 only.
    wide = len(data) >= 8 and not any(data[1::2])
    text = data.decode("utf-16-le" if wide else "utf-8", errors="replace")
    if not text or len(_UNPRINTABLE.findall(text)) > len(text) * _MOST_UNPRINTABLE:
        return None
    return None if len(_NO_WORD.findall(text)) > len(text) * _MOST_SIGNS else text
