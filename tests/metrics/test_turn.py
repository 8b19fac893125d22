"""A turn: whose words stand on which side, and texts put back where they came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics import SIDES, Message, ToolCall, Turn

ROLES = st.sampled_from(["user", "system", "developer", "assistant", "tool", "function", "narrator", ""])
MESSAGES = st.lists(st.builds(Message, ROLES, st.lists(st.text(max_size=5), max_size=3).map(tuple)), max_size=5).map(
    tuple
)
TEXTS = st.lists(st.text(max_size=5), max_size=3).map(tuple)
CALLS = st.lists(st.builds(ToolCall, st.just("f"), st.text(max_size=5)), max_size=3).map(tuple)
TURNS = st.builds(Turn, MESSAGES, TEXTS, CALLS, TEXTS)


@given(TURNS, st.sampled_from(SIDES))
def test_texts_put_back_are_the_texts_that_are_read(turn, side):
    new = tuple(f"<{number}>" for number, _ in enumerate(turn.passages(side)))
    changed = turn.with_passages(side, new)
    assert changed.passages(side) == new
    assert all(changed.passages(other) == turn.passages(other) for other in SIDES if other != side)


@given(TURNS, st.sampled_from(SIDES))
def test_putting_back_what_was_there_changes_nothing(turn, side):
    assert turn.with_passages(side, turn.passages(side)) == turn


@pytest.mark.parametrize("side", SIDES)
def test_a_plain_text_stands_on_the_side_it_is_given_for(side):
    assert Turn.of("hello", side).passages(side) == ("hello",)


def test_a_role_that_is_not_known_is_not_trusted():
    assert Turn.of([{"role": "root", "content": "a"}]).passages("input") == ("a",)


def test_labels_are_added_to_those_of_a_turn():
    turn = Turn.of("a", app="x", user="u")
    assert Turn.of(turn, session="s").labels == {"app": "x", "user": "u", "session": "s"}


def test_what_definitions_of_tools_say_is_among_the_texts_that_a_placeholder_must_keep_clear_of():
    turn = Turn(output=("hello",), tools=({"name": "mail", "description": "such as [EMAIL_1]"},))
    assert turn.texts == ("mail", "such as [EMAIL_1]", "hello")
