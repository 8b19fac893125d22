"""One way of writing text so that it does not read as what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from guard.metrics.reading.draft import Edit


class Decoder(NamedTuple):
    """`edits` undoes it; any text that it would change matches `gate`, an RE2 pattern, so most texts cost one scan."""

    kind: str
    gate: str
    edits: Callable[[str], Iterator[Edit]]
