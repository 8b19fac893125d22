"""Words that a token head marks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.metrics.encoder.tokenised import Range


def marked(hits: NDArray[np.bool_], words: NDArray[Any], offsets: NDArray[Any]) -> list[Range]:
    """The runs of words that hold a hit, as (start, end) in characters, in order.

    `hits`, `words` and `offsets` have one row a token: whether it is hit, its word's number, its characters.
    """
    found = np.unique(words[hits])
    if not len(found):
        return []
    breaks = np.flatnonzero(np.diff(found) > 1)
    firsts = np.searchsorted(words, found[np.concatenate([[0], breaks + 1])], "left")
    lasts = np.searchsorted(words, found[np.concatenate([breaks, [-1]])], "right") - 1
    return list(zip(offsets[firsts, 0].tolist(), offsets[lasts, 1].tolist(), strict=True))
