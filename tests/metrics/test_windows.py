from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics.windows import windows

TEXTS = st.text(alphabet="ab .\n。") | st.text()
SIZES = st.integers(1, 40)


@given(TEXTS, SIZES, st.data())
def test_windows_cover_every_character_and_stay_small(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    found = list(windows(text, size, overlap))
    assert all(0 < end - start <= size for start, end in found)
    assert set().union(*(range(start, end) for start, end in found)) == set(range(len(text)))


@given(TEXTS, st.integers(8, 40), st.data())
def test_windows_read_a_bounded_multiple_of_the_text(text: str, size: int, data: st.DataObject) -> None:
    text *= 20
    overlap = data.draw(st.integers(0, size // 2))
    assert sum(end - start for start, end in windows(text, size, overlap)) <= 8 * len(text) + size


@given(TEXTS, SIZES, st.data())
def test_what_is_no_longer_than_the_overlap_stands_whole_in_a_window(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    found = list(windows(text, size, overlap))
    for start in range(max(0, len(text) - overlap)):
        assert any(first <= start and start + overlap <= last for first, last in found)


def test_a_short_text_is_one_window() -> None:
    assert list(windows("short", 100, 10)) == [(0, 5)]


def test_an_empty_text_has_no_window() -> None:
    assert list(windows("", 100, 10)) == []


def test_windows_end_at_sentences() -> None:
    text = "One sentence here. Another follows now. And a third one is last."
    assert [text[start:end] for start, end in windows(text, 40, 0)] == [
        "One sentence here. Another follows now. ",
        "And a third one is last.",
    ]


def test_windows_split_no_words() -> None:
    text = "lorem ipsum dolor sit amet " * 50
    words = {"lorem", "ipsum", "dolor", "sit", "amet"}
    for start, end in windows(text, 100, 20):
        assert set(text[start:end].split()) <= words


def test_a_text_without_spaces_is_cut_all_the_same() -> None:
    assert list(windows("x" * 25, 10, 2)) == [(0, 10), (8, 18), (16, 25)]


@pytest.mark.parametrize("overlap", [-1, 6])
def test_an_overlap_of_more_than_half_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match="can overlap by 0 to 5"):
        list(windows("x" * 100, 10, overlap))
