"""How good a network is: by column and source, and as one number."""

from __future__ import annotations

import numpy as np
import pytest

from guard.errors import SettingsError
from guard.training.data import Data
from guard.training.validate import Judged, areas, judged, overall
from tests.training import tiny

pytestmark = pytest.mark.slow

SPEC = tiny.spec()
AT = SPEC.columns.index("toxicity")


def source(truths, numbers, column="toxicity"):
    """Rows of which a column is known, and what the network says of it."""
    rows = [tiny.row(f"text {at}", {} if truth is None else {column: truth}) for at, truth in enumerate(truths)]
    logits = np.zeros((len(rows), len(SPEC.columns)), np.float32)
    logits[:, SPEC.columns.index(column)] = numbers
    return Judged(rows, logits)


def sorted_out(right, wrong=0):
    """A source whose numbers are right for so many rows of either side, and wrong for others."""
    half = right + wrong
    return source([1.0] * half + [0.0] * half, [1] * right + [-1] * wrong + [0] * half)


def test_areas_are_told_by_source_and_over_all():
    table = areas({"good": sorted_out(20), "poor": sorted_out(10, 10)}, SPEC)
    assert table["toxicity"] == {"good": 1.0, "poor": 0.5, "*": 0.75}
    assert table["prompt_injection"] == {}


def test_a_source_of_too_few_rows_counts_among_all_only():
    table = areas({"many": sorted_out(20), "few": sorted_out(0, 9)}, SPEC)
    assert set(table["toxicity"]) == {"many", "*"}
    assert table["toxicity"]["*"] < 0.9


def test_what_is_unknown_or_in_between_is_not_judged():
    truths = [1.0] * 10 + [0.0] * 10 + [None] * 10 + [0.6] * 10
    table = areas({"a": source(truths, [1] * 10 + [0] * 10 + [5] * 10 + [-5] * 10)}, SPEC)
    assert table["toxicity"]["a"] == 1.0


def test_the_overall_number_counts_each_head_the_same_and_no_labels():
    table = {
        "toxicity": {"a": 0.8, "*": 0.6},
        "toxicity/insult": {"a": 0.1, "*": 0.1},
        "prompt_injection": {"*": 0.9},
        "context_adherence": {},
    }
    assert overall(table) == pytest.approx((0.7 + 0.9) / 2)


def test_nothing_to_judge_by_is_an_error_and_not_a_number():
    with pytest.raises(SettingsError, match="no head has 10 validation rows"):
        overall(areas({}, SPEC))


def test_the_same_rows_of_a_fold_are_judged_each_time_and_no_more_than_told():
    rows = [tiny.row(f"cat {at}", {"toxicity": 0.0}, fold="valid" if at % 2 else "train") for at in range(200)]
    plain = [tiny.row(f"dog {at}", {"toxicity": 0.0}, fold="valid", ordinary=True) for at in range(90)]
    spec = SPEC.model_copy(update={"validation": SPEC.validation.model_copy(update={"rows": 30, "ordinary": 50})})
    data = Data({"a": rows, "b": plain, "c": [tiny.row("ran", fold="valid")]}, {})

    def read(windows):
        return np.array([[len(window.ids)] for window in windows], np.float32)

    def found():
        return judged("valid", read, data, tiny.encoder(SPEC), spec, lambda _: None)

    once = found()
    assert {name: len(each.rows) for name, each in once.items()} == {"a": 30, "b": 50}
    assert {row.fold for each in once.values() for row in each.rows} == {"valid"}
    assert [row.text for row in once["a"].rows] == [row.text for row in found()["a"].rows]
    assert once["a"].logits.shape == (30, 1)
