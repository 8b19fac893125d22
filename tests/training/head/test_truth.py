from __future__ import annotations

import numpy as np
import pytest

from guard.errors import SettingsError
from guard.evaluate import Row
from guard.training.head.truth import check_enough, told, truth

ROW = Row("a.csv:2", {})


def asked(*values, separator=None, positive=(), gives=None):
    return truth([told(value, ROW, separator) for value in values], positive, gives)


@pytest.mark.parametrize("values", [(1, 0), (True, False), ("yes", "No"), ("TRUE", "f"), (1.0, 0.0), ("1", "0")])
def test_yes_and_no_ask_for_a_number(values):
    found = asked(*values)
    assert (found.gives, found.labels, found.table.tolist()) == ("number", (), [[True], [False]])


def test_classes_ask_for_the_likeliest_label():
    found = asked("refund", "order", "refund")
    assert (found.gives, found.labels) == ("label", ("order", "refund"))
    assert found.table.tolist() == [[False, True], [True, False], [False, True]]


def test_yes_no_and_a_third_are_classes():
    assert asked("yes", "no", "maybe").gives == "label"


def test_classes_can_each_be_a_yes_or_no():
    assert asked("refund", "order", gives="labels").gives == "labels"


def test_one_class_can_be_the_yes_of_a_number():
    found = asked("refund", "order", "advice", positive=["refund", "advice"])
    assert (found.gives, found.table[:, 0].tolist()) == ("number", [True, False, True])
    with pytest.raises(SettingsError, match="no row is labelled 'refnd'; did you mean 'refund'"):
        asked("refund", "order", positive=["refnd"])


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        ((["a", "b"], [], ["b"]), None),
        (({"a": 1, "b": 1}, {"a": 0}, {"b": True}), None),
        (("a; b", ";", "b"), ";"),
    ],
)
def test_lists_ask_for_labels(values, separator):
    found = asked(*values, separator=separator)
    assert (found.gives, found.labels) == ("labels", ("a", "b"))
    assert found.table.tolist() == [[True, True], [False, False], [False, True]]


def test_lists_beside_single_labels_are_refused():
    with pytest.raises(SettingsError, match="1 rows have a list of labels and the others one label"):
        asked(["a"], "b")


@pytest.mark.parametrize("value", [{"a": "often"}, [1, 2], object()])
def test_a_label_that_nothing_can_be_learnt_from_is_refused_with_its_place(value):
    with pytest.raises(SettingsError, match=r"a.csv:2: its label is"):
        told(value, ROW, None)


def test_one_class_only_is_refused():
    with pytest.raises(SettingsError, match="all rows have the same label; add rows that have it not"):
        check_enough(asked("refund", "refund"), np.arange(2))
    with pytest.raises(SettingsError, match="0 for not 'yes'"):
        check_enough(asked(*[1] * 9), np.arange(9))


def test_a_class_with_too_few_rows_is_named():
    with pytest.raises(SettingsError, match="too few different texts: 4 for 'rare'; give 5 of each"):
        check_enough(asked(*["order"] * 9, *["refund"] * 9, *["rare"] * 4), np.arange(22))


def test_rows_of_one_text_count_once():
    found = asked(*[1] * 9, *[0] * 9)
    check_enough(found, np.arange(18))
    with pytest.raises(SettingsError, match="1 for 'yes'"):
        check_enough(found, np.array([0] * 9 + list(range(1, 10))))
