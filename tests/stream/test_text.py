from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guard.stages.edit import Edit, apply
from guard.stream.text import Text

BORDERS = st.lists(st.integers(0, 30), max_size=8).map(sorted)


@given(text=st.text(min_size=30, max_size=30), cuts=BORDERS, at=st.lists(st.integers(0, 30), max_size=6, unique=True))
def test_the_parts_of_an_edited_text_are_together_the_edited_text(text: str, cuts: list[int], at: list[int]):
    borders = sorted(at)
    pairs = zip(borders[::2], borders[1::2], strict=False)
    edits = [Edit(start, end, f"<{number}>") for number, (start, end) in enumerate(pairs)]
    whole = Text()
    for character in text:
        whole.append(character)
    whole.release(len(text), reversed(edits))
    parts = [whole.edited(start, end) for start, end in zip([0, *cuts], [*cuts, 30], strict=True)]
    assert "".join(parts) == apply(text, edits)


def test_a_word_ends_before_the_offset_or_nowhere_near():
    text = Text()
    text.append("one twothree")
    assert text.word_end(6, near=5) == 4
    assert text.word_end(4, near=5) == 4
    assert text.word_end(12, near=5) == 12
    assert text.word_end(2, near=40) == 2
