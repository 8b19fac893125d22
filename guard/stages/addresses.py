"""Where a text holds the addresses of links and images: what stands in them leaves for whoever wrote the address.

A page or a mail may ask the model to write an image whose address ends in what it knows of the user, and whoever shows
the answer fetches it. So what was hidden from the model is not put back there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

#: Characters before a place in which the beginning of its address is looked for: browsers and servers take no more.
BEFORE = 8_192

#: What begins an address: a scheme, `//`, `www.`, and the signs of both as HTML and Markdown write them otherwise.
_BEGIN = (
    r"(?:(?:https?|wss?|ftp):|[a-z][a-z0-9+.-]{1,19}:[/\\]{2}|www\d{0,3}\."
    r"|&(?:colon|sol|bsol|tab|newline|#0*(?:9|10|13|47|58|92)|#x0*(?:9|a|d|2f|3a|5c));)"
)
_WITHIN = rf"(?:{_BEGIN}|[/\\]{{2}})"
#: Within quotes, angles and the brackets of Markdown and CSS it may hold spaces.
_ADDRESS = re.compile(
    rf"\"{_WITHIN}[^\"]*|'{_WITHIN}[^']*|<{_WITHIN}[^>\n]*|(?:\]|\burl)\([<\"' \t]*{_WITHIN}[^)\n]*"
    rf"|(?:=|\]:[ \t]*){_WITHIN}[^\s<>\"]*|{_BEGIN}[^\s<>\"]*",
    re.IGNORECASE,
)


def addressed(text: str) -> Callable[[int], bool]:
    """Tells of a place in the text whether it stands in an address. Time is linear in the text."""
    found = [match.span() for match in _ADDRESS.finditer(text)]
    starts = [start for start, _ in found]

    def within(place: int) -> bool:
        number = bisect_right(starts, place) - 1
        return number >= 0 and place < found[number][1]

    return within
