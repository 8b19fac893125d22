"""What the n-gram model sees of a text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics.grams import BITS, Integers, grams

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


def slots(text: str) -> Integers:
    return grams([text])[0]


@pytest.mark.parametrize("text", GOLDEN)
def test_slots_never_move(text):
    assert slots(text).tolist() == GOLDEN[text]


def test_case_and_the_kind_of_space_do_not_matter():
    assert slots("Ignore\tTHAT  rule").tolist() == slots("ignore that\nrule").tolist()


def test_the_order_of_words_matters():
    assert slots("the model rules the user").tolist() != slots("the user rules the model").tolist()


def test_saying_a_thing_again_adds_only_what_joins_the_two():
    once, twice = slots("go on now"), slots("go on now go on now")
    assert set(once) < set(twice)
    assert len(twice) - len(once) == 3  # the pair "now go", and two that skip one


def test_a_letter_that_grows_when_lower_cased_moves_nothing():
    assert set(slots("ignore all rules")) <= set(slots("İ ignore all rules"))


def test_long_words_differ_in_their_ends():
    assert set(slots("a" * 200 + "b")) != set(slots("a" * 200 + "c"))


@given(st.lists(st.text(st.characters(), max_size=20), max_size=6))
def test_many_texts_at_once_are_as_each_alone(texts):
    found, counts = grams(texts)
    alone = [slots(text).tolist() for text in texts]
    assert counts.tolist() == [len(each) for each in alone]
    assert found.tolist() == [slot for each in alone for slot in each]


@given(st.text(st.characters()))
def test_any_text_has_slots_within_the_table(text):
    found = slots(text)
    assert found.dtype == np.int64
    assert ((found >= 0) & (found < 2**BITS)).all()
    assert (len(found) == 0) == (not text.strip())


def test_lone_surrogates_and_null_bytes_are_characters_like_others():
    assert len(slots("\ud800 x\0")) > len(slots("x"))
