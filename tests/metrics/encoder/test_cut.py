"""Windows of tokens: all of them are read, at the ends of sentences where there are some."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from guard.metrics.encoder.cut import cut

ALONE = list(range(1000))  # every token its own word


def test_what_fits_is_one_window_and_nothing_is_none() -> None:
    assert list(cut(ALONE[:10], [0, 5], 10, 3)) == [(0, 10)]
    assert list(cut([], [], 10, 3)) == []


def test_a_window_ends_with_a_sentence_and_the_next_begins_with_the_last_ones_again() -> None:
    assert list(cut(ALONE[:30], [0, 6, 10, 13, 19, 28], 15, 7)) == [(0, 13), (6, 19), (13, 28), (21, 30)]


def test_without_sentences_it_ends_with_a_word() -> None:
    words = [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert list(cut(words, [0], 11, 2)) == [(0, 8), (8, 16)]
    assert list(cut(words, [0], 11, 5)) == [(0, 8), (4, 12), (8, 16)]


def test_a_word_longer_than_a_window_is_cut_and_shared() -> None:
    assert list(cut([0] * 20, [0], 8, 2)) == [(0, 8), (6, 14), (12, 20)]


@st.composite
def texts(draw: st.DrawFn) -> tuple[list[int], list[int], int, int]:
    lengths = draw(st.lists(st.integers(1, 12), max_size=25))
    words = [number for number, length in enumerate(lengths) for _ in range(length)]
    starts = sorted(draw(st.sets(st.integers(0, max(len(words) - 1, 0)), max_size=20))) if words else []
    size = draw(st.integers(4, 40))
    return words, starts, size, draw(st.integers(0, (size - 1) // 2))


@settings(max_examples=60, deadline=None)
@given(texts())
def test_windows_hold_every_token_in_order_and_move_on(made: tuple[list[int], list[int], int, int]) -> None:
    words, starts, size, overlap = made
    found = list(cut(words, starts, size, overlap))
    assert [*range(len(words))] == sorted({token for first, end in found for token in range(first, end)})
    assert all(0 < end - first <= size for first, end in found)
    for (first, end), (begins, ends) in pairwise(found):
        assert first < begins <= end < ends
        assert end - begins <= overlap
        assert end - first > size // 2


@settings(max_examples=60, deadline=None)
@given(texts(), st.lists(st.integers(1, 5), max_size=20))
def test_the_windows_of_a_text_that_grows_stay_but_for_the_last(
    made: tuple[list[int], list[int], int, int], more: list[int]
) -> None:
    words, starts, size, overlap = made
    grown = words + [len(words) + number for number, length in enumerate(more) for _ in range(length)]
    assert (
        list(cut(grown, starts, size, overlap))[: max(len(list(cut(words, starts, size, overlap))) - 1, 0)]
        == list(cut(words, starts, size, overlap))[:-1]
    )
