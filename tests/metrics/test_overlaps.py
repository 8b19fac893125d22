from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guard.metrics.overlaps import resolved
from guard.metrics.score import Span

spans = st.builds(
    lambda start, length, label, score: Span(start, start + length, label, score),
    st.integers(0, 50),
    st.integers(1, 20),
    st.sampled_from("abc"),
    st.sampled_from([0.5, 0.7, 1.0]),
)


def test_overlapping_findings_of_one_label_become_one_with_the_higher_score():
    assert resolved([Span(0, 5, "a", 0.5), Span(3, 9, "a", 0.8)]) == (Span(0, 9, "a", 0.8),)


def test_the_surer_of_two_labels_stands():
    assert resolved([Span(0, 9, "a", 0.5), Span(0, 9, "b", 0.9)]) == (Span(0, 9, "b", 0.9),)


def test_the_weightier_of_two_labels_stands_where_weights_are_given():
    spans = [Span(0, 9, "a", 0.5), Span(0, 9, "b", 0.9)]
    assert resolved(spans, lambda span: -span.score) == (Span(0, 9, "a", 0.5),)


def test_what_a_surer_finding_leaves_of_a_longer_one_stands_too():
    assert resolved([Span(0, 9, "a", 0.5), Span(3, 5, "b", 0.9)]) == (
        Span(0, 3, "a", 0.5),
        Span(3, 5, "b", 0.9),
        Span(5, 9, "a", 0.5),
    )


def test_the_longer_of_two_labels_as_sure_stands():
    assert resolved([Span(0, 5, "a", 0.9), Span(0, 9, "b", 0.9)]) == (Span(0, 9, "b", 0.9),)


def test_findings_side_by_side_both_stand():
    assert resolved([Span(5, 9, "a"), Span(0, 5, "a")]) == (Span(0, 5, "a"), Span(5, 9, "a"))


@given(st.lists(spans, max_size=30))
def test_no_two_findings_overlap_and_none_of_what_was_found_is_lost(found):
    kept = resolved(found)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    assert {at for span in kept for at in range(span.start, span.end)} == {
        at for span in found for at in range(span.start, span.end)
    }
