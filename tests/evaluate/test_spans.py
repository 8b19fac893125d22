from __future__ import annotations

import pytest

from guard.evaluate.agreement import agreements
from guard.evaluate.spans import Count, Place, exact, overlapping, place_of


def places(*bounds: tuple[int, int], label: str = "name", passage: int = 0) -> list[Place]:
    return [Place(label, passage, start, end) for start, end in bounds]


def test_exact_takes_the_same_bounds_and_overlapping_one_shared_character():
    truths, found = places((0, 5), (10, 15)), places((0, 5), (14, 20))
    assert exact(truths, found) == {"name": Count(2, 2, 1)}
    assert overlapping(truths, found) == {"name": Count(2, 2, 2)}


def test_spans_that_only_touch_do_not_overlap():
    assert overlapping(places((0, 5)), places((5, 9))) == {"name": Count(1, 1, 0)}
    assert overlapping(places((5, 9)), places((0, 5))) == {"name": Count(1, 1, 0)}


def test_another_label_or_another_passage_is_not_right():
    found = [*places((0, 5), label="place"), *places((0, 5), passage=1)]
    for compare in (exact, overlapping):
        assert compare(places((0, 5)), found) == {"name": Count(1, 1, 0), "place": Count(0, 1, 0)}


def test_one_span_over_everything_is_right_once():
    assert overlapping(places((0, 5), (6, 9), (12, 20)), places((0, 100))) == {"name": Count(3, 1, 1)}


def test_pieces_of_one_span_are_right_once():
    assert overlapping(places((0, 10)), places((0, 4), (5, 10))) == {"name": Count(1, 2, 1)}


def test_as_many_pairs_are_made_as_there_can_be():
    assert overlapping(places((0, 4), (5, 9)), places((3, 6), (8, 12))) == {"name": Count(2, 2, 2)}


@pytest.mark.parametrize("wrong", [{}, {"start": 3, "end": 3, "label": "x"}, {"start": 0, "end": "2", "label": "x"}, 7])
def test_what_is_no_span_has_no_place(wrong):
    assert place_of(wrong) is None


def test_agreement_tells_precision_recall_f1_and_f2():
    counts = [{"a": Count(4, 5, 3)}, {"a": Count(2, 1, 1), "b": Count(0, 2, 0)}, {}]
    found = agreements(counts, groups=["x", "y", "y"])
    one = found.labels["a"]
    assert (one.truths, one.found, one.right) == (6, 6, 4)
    assert (one.precision.value, one.recall.value, one.f1.value) == pytest.approx((4 / 6, 4 / 6, 4 / 6))
    assert found.total.precision.value == pytest.approx(4 / 8)
    assert found.total.f2.value == pytest.approx(5 * 4 / (4 * 6 + 8))
    assert (found.labels["b"].recall, found.labels["b"].f1.value) == (None, 0)
    assert found.macro_f1 == pytest.approx((4 / 6 + 0) / 2)
    assert {name: group.truths for name, group in found.groups.items()} == {"x": 4, "y": 2}


def test_spans_of_one_row_are_no_independent_witnesses():
    apart = agreements([{"a": Count(1, 1, 1)}] * 50 + [{"a": Count(1, 0, 0)}] * 50).total.recall
    together = agreements([{"a": Count(25, 25, 25)}] * 2 + [{"a": Count(25, 0, 0)}] * 2).total.recall
    assert apart.value == together.value == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)
