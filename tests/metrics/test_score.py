"""Scores of several pieces of a text, put together."""

import pytest

from guard.metrics import Score, Span
from guard.metrics.score import found, merged


def test_numbers_merge_to_the_highest_with_everybodys_labels_and_spans():
    one = Score(0.2, labels=("mild",), spans=(Span(0, 1, "mild"),), by_label={"mild": 0.2, "rude": 0.1})
    two = Score(0.9, labels=("rude",), spans=(Span(5, 6, "rude"),), reason="rude words", by_label={"rude": 0.9})
    both = merged([one, two])
    assert (both.value, both.labels, both.reason) == (0.9, ("mild", "rude"), "rude words")
    assert both.spans == one.spans + two.spans
    assert both.by_label == {"mild": 0.2, "rude": 0.9}


def test_labels_merge_to_their_union_each_once():
    both = merged([found([Span(0, 1, "email"), Span(2, 3, "ssn")]), found([Span(4, 5, "email")])])
    assert both.value == both.labels == ("email", "ssn")


def test_a_number_without_categories_has_none_after_merging_either():
    assert merged([Score(0.1), Score(0.2)]).labels is None


def test_single_labels_have_no_order_and_do_not_merge():
    with pytest.raises(ValueError, match="read the text whole"):
        merged([Score("en"), Score("fr")])


def test_nothing_does_not_merge_to_something():
    with pytest.raises(ValueError, match="nothing"):
        merged([])
