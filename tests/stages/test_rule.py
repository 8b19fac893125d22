"""The eleven operators, held against the reference's table pairing by pairing."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.metrics import Score
from guard.stages import OPERATORS, Rule

VALUES = {
    "number": Score(0.5),
    "string": Score("joy"),
    "list": Score(("ssn", "email"), labels=("ssn", "email")),
    "empty list": Score((), labels=()),
}
TARGETS = {
    "number": 0.5,
    "lower": 0.1,
    "higher": 0.9,
    "true": True,
    "string": "joy",
    "label": "ssn",
    "list": ["ssn", "joy"],
    "found": ["ssn", "email"],
    "no items": [],
    "none": None,
}
#: Everything that holds; every other pairing of a value, an operator and a target is false.
HOLDS = {
    ("number", "gt", "lower"), ("number", "gte", "lower"), ("number", "neq", "lower"),
    ("number", "lt", "higher"), ("number", "lte", "higher"), ("number", "neq", "higher"),
    ("number", "eq", "number"), ("number", "gte", "number"), ("number", "lte", "number"),
    ("number", "lt", "true"), ("number", "lte", "true"), ("number", "neq", "true"),
    ("string", "eq", "string"), ("string", "neq", "label"), ("string", "any", "list"),
    ("list", "contains", "label"), ("list", "any", "list"), ("list", "any", "found"), ("list", "all", "found"),
    ("list", "all", "no items"), ("empty list", "all", "no items"),
    *(("list", "not_empty", target) for target in TARGETS),
    *(("empty list", "empty", target) for target in TARGETS),
}  # fmt: skip


def holds(operator: str, target: object, score: Score) -> bool:
    return Rule.model_validate({"metric": "m", "operator": operator, "target_value": target}).test()(score)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_holds_for_exactly_the_pairings_of_the_reference(operator: str) -> None:
    held = {
        (value, operator, target)
        for value, target in product(VALUES, TARGETS)
        if holds(operator, TARGETS[target], VALUES[value])
    }
    assert held == {triple for triple in HOLDS if triple[1] == operator}


def test_the_table_covers_all_eleven_operators() -> None:
    assert len(OPERATORS) == 11
    assert {triple[1] for triple in HOLDS} == set(OPERATORS)


def test_true_as_a_target_is_one() -> None:
    assert holds("eq", True, Score(1.0))
    assert not holds("eq", True, Score(0.0))


def test_a_whole_number_too_large_for_a_float_is_compared_all_the_same() -> None:
    assert holds("lt", 10**400, Score(0.5))
    assert not holds("gt", 10**400, Score(0.5))


@pytest.mark.parametrize("target", [float("nan"), float("inf"), float("-inf")])
def test_a_target_that_is_no_finite_number_is_refused(target: float) -> None:
    with pytest.raises(ValidationError):
        Rule(metric="m", operator="gte", target_value=target)


def test_label_operators_look_at_the_categories_of_a_number() -> None:
    score = Score(0.9, labels=("insult", "threat"))
    assert holds("contains", "insult", score)
    assert holds("all", ["insult", "threat"], score)
    assert not holds("empty", None, score)
    assert not holds("not_empty", None, Score(0.9)), "a number without categories has no list to ask about"


scores = st.one_of(
    st.floats(allow_nan=False).map(Score),
    st.text(max_size=5).map(Score),
    st.lists(st.text(max_size=3), max_size=4).map(lambda labels: Score(tuple(labels), labels=tuple(labels))),
)
targets = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5),
    st.lists(st.one_of(st.text(max_size=3), st.integers(), st.lists(st.none())), max_size=4),
)  # fmt: skip


@given(st.sampled_from(OPERATORS), targets, scores)
def test_every_rule_answers_yes_or_no_to_every_score(operator: str, target: object, score: Score) -> None:
    assert holds(operator, target, score) in (True, False)


def test_a_rule_reads_as_it_is_written() -> None:
    assert str(Rule(metric="pii", operator="any", target_value=["ssn", "email"])) == "pii any [ssn, email]"
    assert str(Rule(metric="pii", of="output", operator="not_empty")) == "pii of output not_empty"
    assert str(Rule(metric="toxicity", operator="gte", target_value=0.7)) == "toxicity gte 0.7"
