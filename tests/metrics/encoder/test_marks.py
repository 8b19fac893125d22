"""Words that a token head marks, as the characters they stand at."""

import numpy as np

from guard.metrics.encoder.marks import marked

WORDS = np.array([0, 1, 1, 1, 2, 3])
OFFSETS = np.array([(0, 3), (4, 6), (6, 8), (8, 9), (10, 14), (15, 16)])


def marks(*hits: int) -> list[tuple[int, int]]:
    return marked(np.isin(np.arange(6), hits), WORDS, OFFSETS)


def test_a_word_is_marked_whole_where_a_part_of_it_is_hit() -> None:
    assert marks(2) == [(4, 9)]


def test_words_that_follow_each_other_are_one_run() -> None:
    assert marks(0, 3) == [(0, 9)]
    assert marks(0, 4, 5) == [(0, 3), (10, 16)]


def test_no_hit_is_no_run() -> None:
    assert marks() == []
    assert marked(np.zeros(0, bool), WORDS[:0], OFFSETS[:0]) == []
