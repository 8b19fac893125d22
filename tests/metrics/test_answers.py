"""From logits to probabilities of the policy's own labels."""

from __future__ import annotations

import numpy as np
import pytest

from guard.errors import MetricError
from guard.metrics.answers import Answers
from guard.metrics.checkpoint import Config

FOUR = Config(("neutral", "insult", "threat", "slur"), 512, None)
LOGITS = np.log(np.array([[0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]]))


def test_labels_that_exclude_each_other_share_one_probability() -> None:
    assert Answers.of(FOUR, {}).probabilities(LOGITS) == pytest.approx(np.exp(LOGITS))


def test_labels_of_one_new_name_are_added_where_they_exclude_each_other() -> None:
    answers = Answers.of(FOUR, {"insult": "toxic", "threat": "toxic", "slur": None})
    assert answers.names == ("neutral", "toxic")
    assert answers.probabilities(LOGITS) == pytest.approx(np.array([[0.4, 0.5], [0.7, 0.2]]))


def test_of_labels_that_do_not_exclude_each_other_the_likeliest_counts() -> None:
    answers = Answers.of(FOUR, {"insult": "toxic", "threat": "toxic"}, multi_label=True)
    logits = np.array([[-3.0, 2.0, 1.0, 0.0]])
    assert answers.probabilities(logits)[0, 1] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert answers.together(np.array([[0.2, 0.6, 0.5]])) == pytest.approx(0.6)


def test_the_checkpoint_says_whether_labels_exclude_each_other() -> None:
    assert Answers.of(Config(("a", "b"), 8, "multi_label_classification"), {}).multi_label
    assert not Answers.of(Config(("a", "b"), 8, "single_label_classification"), {}).multi_label
    assert not Answers.of(Config(("a", "b"), 8, "multi_label_classification"), {}, multi_label=False).multi_label


def test_a_single_label_is_not_certain_whatever_the_text() -> None:
    answers = Answers.of(Config(("toxic",), 8, None), {})
    assert answers.probabilities(np.array([[0.0], [-5.0]])).ravel() == pytest.approx([0.5, 0.0067], abs=1e-4)


def test_a_model_of_quantities_is_refused_until_told_otherwise() -> None:
    quantities = Config(("score",), 8, "regression")
    with pytest.raises(MetricError, match="multi_label: true"):
        Answers.of(quantities, {})
    assert Answers.of(quantities, {}, multi_label=True).multi_label


def test_an_unknown_label_is_refused_with_the_nearest() -> None:
    with pytest.raises(MetricError, match="no label 'insults'; did you mean 'insult'"):
        Answers.of(FOUR, {"insults": "toxic"})
    with pytest.raises(MetricError, match="no label 'insult'; known: neutral, slur, threat, toxic"):
        Answers.of(FOUR, {"insult": "toxic"}).only(["insult"])


def test_dropping_every_label_is_refused() -> None:
    with pytest.raises(MetricError, match="keep one"):
        Answers.of(FOUR, dict.fromkeys(FOUR.labels))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_an_error_not_a_low_probability(bad: float) -> None:
    with pytest.raises(ValueError, match="no number"):
        Answers.of(FOUR, {}).probabilities(np.array([[0.0, bad, 0.0, 0.0]]))


def test_more_answers_than_labels_are_an_error() -> None:
    with pytest.raises(ValueError, match="names 4 labels"):
        Answers.of(FOUR, {}).probabilities(np.zeros((1, 5)))


def test_huge_logits_do_not_overflow() -> None:
    for multi_label in (True, False):
        with np.errstate(over="raise", invalid="raise"):
            table = Answers.of(FOUR, {}, multi_label).probabilities(np.array([[1e9, -1e9, 0.0, 0.0]]))
        assert np.isfinite(table).all()
        assert table[0, :2] == pytest.approx([1.0, 0.0])
