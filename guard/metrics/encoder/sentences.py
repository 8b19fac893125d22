"""Where a text's sentences end."""

from __future__ import annotations

import re

#: Fewer characters than this say too little alone ("Dr.", "Yes!"): they go with what follows.
SHORTEST = 20

# Of a bounded length each, so that a text made of full stops costs no more than another.
_END = re.compile(r"""[.!?…]["'”’)\]]{0,2}(?=\s)|[。！？]["'”’」』)\]]{0,2}|\n""")  # noqa: RUF001 - Chinese and Japanese marks


def sentences(text: str) -> list[tuple[int, int]]:
    """The sentences as (start, end) in characters, without the white space around them, in order.

    A sentence ends at its mark with white space behind, or at the end of a line. Together they hold all of the text
    that is not white space; linear time.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match.end() - start >= SHORTEST:
            found.append(_trimmed(text, start, match.end()))
            start = match.end()
    found.append(_trimmed(text, start, len(text)))
    return [(start, end) for start, end in found if start < end]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    written = text[start:end]
    start += len(written) - len(written.lstrip())
    return start, start + len(written.strip())
