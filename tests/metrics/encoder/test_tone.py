"""The tone of a side: the mean over all that it says."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from guard.metrics import Message, Score, Turn
from guard.metrics.encoder.facts import facts
from guard.metrics.encoder.tone import tone
from tests.metrics.encoder import tiny


def score(turn: Turn | str, folder: Path) -> Score:
    measured = tone(folder).measure(Turn.of(turn), "input")
    assert isinstance(measured, Score)
    return measured


@pytest.mark.parametrize(("text", "label"), [("A happy cat.", "joy"), ("An angry cat.", "anger")])
def test_the_value_is_the_likeliest_tone(text: str, label: str, folder: Path) -> None:
    found = score(text, folder)
    assert (found.value, found.labels, found.model) == (label, None, facts(folder).model)
    assert set(found.by_label) == set(tiny.TONES)
    assert sum(found.by_label.values()) == pytest.approx(1)
    assert found.by_label[label] > 0.9


def test_a_long_text_has_the_tone_of_most_of_it(folder: Path) -> None:
    happy = "The happy cat sat on the mat. " * 12
    assert score("An angry dog ran far away. " + happy, folder).value == "joy"


def test_windows_count_by_their_tokens(folder: Path) -> None:
    long, short = "The happy cat sat on the mat and then it slept.", "Angry."
    turn = Turn(messages=(Message("user", (short,)), Message("user", (long,))))
    joy = score(turn, folder).by_label["joy"]
    assert joy == pytest.approx(12 / (12 + 2), abs=0.01)


@pytest.mark.parametrize("turn", ["", "\0", Turn()])
def test_what_says_nothing_is_neutral(turn: Turn | str, folder: Path) -> None:
    assert score(turn, folder).value == "neutral"


def test_what_is_encoded_has_no_say(folder: Path) -> None:
    hidden = base64.b64encode(b"an angry angry angry angry dog").decode()
    assert score(f"A happy cat: {hidden}", folder).value == "joy"


def test_the_metric_says_what_it_is(folder: Path) -> None:
    metric = tone(folder)
    assert (metric.kind, metric.windowed, metric.labels) == ("label", False, set(tiny.TONES))
    assert metric.warm_up
    metric.warm_up()
