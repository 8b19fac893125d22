"""The letter case of tokens, by the characters they cover."""

import pytest

from guard.metrics.encoder.case import letter_cases


@pytest.mark.parametrize(
    ("written", "case"),
    [("cat", 0), ("Paris", 1), ("I", 1), ("NASA", 2), ("U2", 2), ("É", 1), ("ÉCOLE", 2), ("iPhone", 0), ("McX", 1),
     ("42", 0), ("!", 0), ("é", 0), ("东京", 0), ("ß", 0), ("", 0), ("\ud800", 0)],
)  # fmt: skip
def test_the_case_of_a_word(written: str, case: int) -> None:
    assert letter_cases(f"<{written}>", [(1, 1 + len(written))]) == [case]


def test_a_part_of_a_word_has_the_case_of_its_own_characters() -> None:
    assert letter_cases("MARIA Smith", [(0, 3), (3, 4), (4, 5), (6, 8), (8, 11)]) == [2, 1, 1, 1, 0]
