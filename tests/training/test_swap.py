"""Unsupported answers made from supported ones: only what is marked differs."""

from __future__ import annotations

import random

import pytest

from guard.errors import SettingsError
from guard.training.swap import Swapper
from tests.training import tiny

CONTEXT = (
    "The old bridge over the river was built in 1884 by Maria Gomez, who came from Lisbon that year. "
    "It was closed for 12 years after the flood, and a ferry took its place until 1971. "
    "Peter Brandt is the engineer who opened it again in front of all the people of Porto."
)


def swapper(*rows):
    swapped = tiny.spec().swapped.model_copy(update={"contexts": ("a",)})
    return Swapper(swapped, {"a": rows or [tiny.row(CONTEXT)]})


def drawn():
    made, chance = swapper(), random.Random(1)
    return [made.draw(at, chance) for at in range(300)]


def test_a_supported_answer_stands_in_its_context_and_nothing_of_it_is_marked():
    for supported, _ in drawn():
        assert supported.truth == {"context_adherence": 0}
        assert tiny.said(supported).rstrip(".") in supported.text
        assert supported.marks == ()


def test_a_swap_changes_the_marked_words_and_no_others():
    found = [(supported, other) for supported, other in drawn() if other.text == supported.text]
    assert len(found) > 150
    for supported, other in found:
        mark = tiny.mark(other)
        before, after = tiny.said(other)[: mark.start], tiny.said(other)[mark.end :]
        assert other.truth == {"context_adherence": 1}
        assert tiny.said(supported).startswith(before)
        assert tiny.said(supported).endswith(after)
        old = tiny.said(supported)[len(before) : len(tiny.said(supported)) - len(after)]
        assert old
        assert old != tiny.said(other)[mark.start : mark.end]
        assert tiny.said(other) not in CONTEXT


def test_numbers_names_and_turns_are_all_swapped():
    new = {tiny.said(other)[tiny.mark(other).start : tiny.mark(other).end] for _, other in drawn()}
    assert any(word.isdigit() for word in new)
    assert new & {"Lisbon", "Porto", "Peter Brandt", "Maria Gomez"}
    assert new & {"was not", "is not", "before", "none"}


def test_an_answer_whose_sentence_was_taken_out_is_unsupported_as_a_whole():
    found = [other for supported, other in drawn() if other.text != supported.text]
    assert found
    for other in found:
        mark = tiny.mark(other)
        assert (mark.start, mark.end) == (0, len(tiny.said(other)))
        assert tiny.said(other).rstrip(".") not in other.text
        assert other.truth == {"context_adherence": 1}


def test_what_is_judged_by_is_no_context():
    with pytest.raises(SettingsError, match="name another in the spec"):
        swapper(tiny.row(CONTEXT, fold="valid"), tiny.row("Too short. Both are."))
