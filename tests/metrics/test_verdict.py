"""Reading a verdict: whatever is not one is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics import Kind, Score
from guard.metrics.verdict import read_verdict

LABELS = ("hate", "threat")


@pytest.mark.parametrize(
    "answer",
    [
        '{"value": 0.25, "reason": "mild"}',
        ' \n{"reason": "mild", "value": 0.25, "more": [1]}\n',
        '```json\n{"value": 0.25, "reason": "mild"}\n```',
        '```\n{"value": 0.25, "reason": "mild"}```',
    ],
)
def test_a_number_with_its_reason_is_read(answer: str) -> None:
    assert read_verdict(answer, "number") == Score(0.25, reason="mild")


def test_a_reason_may_be_missing() -> None:
    assert read_verdict('{"value": 1}', "number") == Score(1.0)
    assert read_verdict('{"value": 0, "reason": null}', "number") == Score(0.0)


def test_labels_and_a_label_are_read() -> None:
    found = read_verdict('{"value": ["threat", "hate", "threat"]}', "labels", LABELS)
    assert (found.value, found.labels) == (("threat", "hate"), ("threat", "hate"))
    assert read_verdict('{"value": []}', "labels", LABELS).value == ()
    assert read_verdict('{"value": "hate"}', "label", LABELS).value == "hate"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "safe",
        "0.0",
        "[]",
        "null",
        "{}",
        '{"score": 0}',
        '{"value": 0} {"value": 1}',
        '{"value": 0',
        'The verdict is {"value": 0}',
        "``````",
        "```",
        "[" * 100_000,
        '{"value": ' + "9" * 10_000 + "}",
    ],
)
def test_what_is_no_verdict_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match=r"no JSON verdict|no number from 0 to 1"):
        read_verdict(answer, "number")


@pytest.mark.parametrize(
    "value", ["1.01", "-0.01", "NaN", "Infinity", "-Infinity", "true", "false", '"0"', "null", "[0]", "1e999", "{}"]
)
def test_a_number_out_of_range_or_of_another_type_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="no number from 0 to 1"):
        read_verdict(f'{{"value": {value}}}', "number")


@pytest.mark.parametrize(
    ("gives", "value"),
    [
        ("label", '"safe"'),
        ("label", '["hate"]'),
        ("label", "null"),
        ("label", '"Hate"'),
        ("labels", '"hate"'),
        ("labels", '["hate", "safe"]'),
        ("labels", "[1]"),
        ("labels", "null"),
        ("labels", '{"hate": true}'),
        ("labels", '[["hate"]]'),
    ],
)
def test_a_label_that_was_not_offered_is_refused(gives: Kind, value: str) -> None:
    with pytest.raises(ValueError, match=r"none of the labels|no list of labels"):
        read_verdict(f'{{"value": {value}}}', gives, LABELS)


def test_a_reason_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="a reason that is no text"):
        read_verdict('{"value": 0, "reason": ["x"]}', "number")


def test_what_the_error_quotes_is_short() -> None:
    with pytest.raises(ValueError, match="no JSON verdict") as error:
        read_verdict("x" * 10_000, "number")
    assert len(str(error.value)) < 150


@given(answer=st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_nothing_but_a_verdict_gets_a_score(answer: str) -> None:
    with pytest.raises(ValueError, match="no JSON verdict"):
        read_verdict(answer, "number")


@given(value=st.floats(0, 1), reason=st.text())
def test_every_verdict_is_read_as_it_was_meant(value: float, reason: str) -> None:
    assert read_verdict(json.dumps({"value": value, "reason": reason}), "number") == Score(value, reason=reason)
