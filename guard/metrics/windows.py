"""Long text in overlapping windows: whole, in order, cut where a reader would pause."""

from __future__ import annotations

from collections.abc import Iterator

_SENTENCE_ENDS = ("\n", ". ", "! ", "? ", "。", "！", "？")  # noqa: RUF001 - the full stops of Chinese and Japanese
_SPACES = (" ", "\n", "\t", "\r")


def windows(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The windows of a text as (start, end) in characters, each at most `size` long; an empty text has none.

    Together they cover every character, and what is no longer than `overlap` stands whole in one of them. A window ends
    at the last sentence end of its last quarter, else at the last space there, else in mid-word; it starts at the start
    of a word where one starts in the eighth of a window before. So the characters read are at most 8 times the text
    (size ÷ (size - overlap) times, about, in prose). The same text always gives the same windows.

    Raises ValueError where `overlap` is negative or more than half of `size`.
    """
    if not 0 <= overlap <= size // 2:
        raise ValueError(f"windows of {size} characters can overlap by 0 to {size // 2}, not by {overlap}")
    start, length = 0, len(text)
    while length - start > size:
        end = _cut(text, start + size - size // 4, start + size)
        yield start, end
        start = _after_last(text, _SPACES, max(start + 1, end - overlap - size // 8), end - overlap) or end - overlap
    if start < length:
        yield start, length


def _cut(text: str, earliest: int, latest: int) -> int:
    """Where to end a window: between the two positions, at the best place to pause."""
    return _after_last(text, _SENTENCE_ENDS, earliest, latest) or _after_last(text, _SPACES, earliest, latest) or latest


def _after_last(text: str, separators: tuple[str, ...], earliest: int, latest: int) -> int | None:
    ends = [at + len(separator) for separator in separators if (at := text.rfind(separator, earliest, latest)) >= 0]
    return max(ends, default=None)
