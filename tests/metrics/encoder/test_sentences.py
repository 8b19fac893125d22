"""Sentences: where they end, that they hold the whole text, and that any text costs linear time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.metrics.encoder.sentences import sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def test_a_sentence_ends_at_its_mark_or_with_its_line() -> None:
    text = 'This is the first one. "And a second one?" The third is loud!!!  It has no mark at all\nand a fifth'
    assert split(text) == [
        "This is the first one.",
        '"And a second one?"',
        "The third is loud!!!",
        "It has no mark at all",
        "and a fifth",
    ]


def test_a_mark_within_a_word_ends_nothing() -> None:
    text = "See example.com/a.b for version 3.14 of the file"
    assert split(text) == [text]


def test_what_is_very_short_goes_with_what_follows() -> None:
    assert split("Dr. Smith came to see us. Yes! He did so yesterday.") == [
        "Dr. Smith came to see us.",
        "Yes! He did so yesterday.",
    ]


def test_chinese_and_japanese_marks_need_no_space_behind() -> None:
    one = "我们昨天在公园里看到了很多很多的猫和狗。"
    assert split(one + one) == [one, one]


@pytest.mark.parametrize("text", ["", "   ", "\n\n\t"])
def test_white_space_holds_no_sentence(text: str) -> None:
    assert split(text) == []


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab.!?。\n \"')\ud800"), max_size=200))
def test_together_they_hold_all_but_white_space_in_order(text: str) -> None:
    places = sentences(text)
    assert all(before[1] <= after[0] for before, after in pairwise(places))
    assert "".join("".join(text[start:end] for start, end in places).split()) == "".join(text.split())
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in places)


@pytest.mark.parametrize("text", ["." * 90_000, ". " * 45_000, '."' * 45_000, "\n" * 90_000, " " * 90_000])
def test_a_text_of_marks_alone_costs_no_more_than_another(text: str) -> None:
    assert "".join("".join(text[start:end] for start, end in sentences(text)).split()) == "".join(text.split())
