"""Tokens cut into overlapping windows, at the ends of sentences where there are some."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence


def cut(words: Sequence[int], starts: Sequence[int], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The windows as (first, end) in tokens, each at most `size` long; together they hold every token.

    `words` is the number of each token's word, `starts` the tokens that begin a sentence, in order. A window ends with
    the last sentence that ends in its second half, else with the last whole word, and the next one begins with the
    sentences that end it, as far as they are no more than `overlap` tokens; where the last alone is longer, with as
    many of its words. So the windows of a text that grows stay the same but for the last, and less than
    size ÷ (size ÷ 2 - overlap) times the tokens are read. `overlap` must be less than half of `size`.
    """
    first, length = 0, len(words)
    while length - first > size:
        latest, middle = first + size, first + size // 2
        at = bisect_right(starts, latest) - 1
        end = starts[at] if at >= 0 and starts[at] > middle else _word_start(words, latest, -1, middle) or latest
        yield first, end
        earliest = end - overlap
        at = bisect_left(starts, earliest)
        if at < len(starts) and starts[at] < end:
            first = starts[at]
        else:
            first = _word_start(words, earliest, 1, end + 1) or earliest
    if length:
        yield first, length


def _word_start(words: Sequence[int], at: int, step: int, stop: int) -> int | None:
    """The nearest token from `at` on, before `stop`, that begins a word."""
    return next((token for token in range(at, stop, step) if words[token] != words[token - 1]), None)
