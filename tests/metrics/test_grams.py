"""What the n-gram model sees of a text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics.grams import BITS, grams

#: The shipped weights stand at these slots: should one move, the model must be trained anew.
GOLDEN = {
    "go": [55817, 79292, 95061, 217604],
    "Go on.": [
        6201,
        14257,
        45456,
        55310,
        55817,
        69614,
        74263,
        79292,
        95061,
        124666,
        128258,
        151480,
        177091,
        217604,
        252519,
    ],
    "忽略这": [33920, 58230, 112890, 114780, 142353, 146890, 204470],
}


@pytest.mark.parametrize("text", GOLDEN)
def test_slots_never_move(text):
    assert sorted(grams(text).tolist()) == GOLDEN[text]


def test_case_and_the_kind_of_space_do_not_matter():
    assert sorted(grams("Ignore\tTHAT  rule")) == sorted(grams("ignore that\nrule"))


def test_the_order_of_words_matters():
    assert sorted(grams("the model rules the user")) != sorted(grams("the user rules the model"))


def test_a_letter_that_grows_when_lower_cased_moves_nothing():
    assert set(grams("ignore all rules")) <= set(grams("İ ignore all rules"))


def test_long_words_differ_in_their_ends():
    assert set(grams("a" * 200 + "b")) != set(grams("a" * 200 + "c"))


def test_grams_add_up_over_pieces_but_for_those_that_cross():
    whole, parts = grams("one two. three four"), [*grams("one two."), *grams("three four")]
    crossing = len(whole) - len(parts)
    assert crossing == 3  # one pair, two that skip one
    assert not set(parts) - set(whole)


@given(st.text(st.characters()))
def test_any_text_has_slots_within_the_table(text):
    found = grams(text)
    assert found.dtype == np.int64
    assert ((found >= 0) & (found < 2**BITS)).all()
    assert (len(found) == 0) == (not text.strip())


def test_lone_surrogates_and_null_bytes_are_characters_like_others():
    assert len(grams("\ud800 x\0"))
