"""0.5 means even odds, and a threshold keeps its share of false alarms, each source counting the same."""

from __future__ import annotations

import numpy as np
import pytest

from guard.training.calibrate import Scale, fitted, threshold

CHANCE = np.random.default_rng(1)


def drawn(yes, no):
    """Logits of which those at 2 are as likely yes as no, where both are as common."""
    logits = np.concatenate([CHANCE.normal(3, 1, yes), CHANCE.normal(1, 1, no)])
    return logits, np.repeat([1.0, 0.0], [yes, no])


@pytest.mark.parametrize(("yes", "no"), [(4000, 4000), (8000, 800), (800, 8000)])
def test_a_half_is_even_odds_whichever_is_more_common(yes, no):
    logits, truth = drawn(yes, no)
    scale = fitted(logits, truth, np.ones(len(truth)))
    assert scale(np.array([2.0]))[0] == pytest.approx(0.5, abs=0.06)
    # Two normals two apart: the odds grow by e² with each step.
    assert scale.scale == pytest.approx(2.0, abs=0.3)


def test_too_few_of_either_leave_logits_as_they_are():
    assert fitted(np.arange(50.0), np.repeat([1.0, 0.0], [9, 41]), np.ones(50)) == Scale(1.0, 0.0)
    assert fitted(np.empty(0), np.empty(0), np.empty(0)) == Scale(1.0, 0.0)


def test_a_row_counts_by_its_weight():
    logits, truth = np.concatenate([np.zeros(20), np.ones(20)]), np.tile([0.0, 1.0], 20)
    weights = np.where((logits == 1) == (truth == 1), 3.0, 1.0)
    scale = fitted(logits, truth, weights)
    assert scale(np.array([0.0, 1.0])) == pytest.approx([0.25, 0.75], abs=0.01)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.3])
def test_no_more_than_the_rate_reaches_a_threshold_and_hardly_less(rate):
    numbers = CHANCE.random(2000)
    at = threshold(numbers, rate, ["a"] * 2000)
    assert rate - 1 / 2000 < np.mean(numbers >= at) <= rate


def test_each_source_counts_the_same_however_many_rows_it_has():
    numbers = np.concatenate([np.linspace(0.0, 0.4, 9000), np.linspace(0.5, 0.9, 100)])
    sources = ["many"] * 9000 + ["few"] * 100
    at = threshold(numbers, 0.1, sources)
    assert np.mean(numbers[9000:] >= at) == pytest.approx(0.2)
    assert not (numbers[:9000] >= at).any()


def test_rows_of_one_number_are_all_below_a_threshold_or_all_above():
    numbers = np.array([0.9] * 5 + [0.2] * 95)
    assert 0.2 < threshold(numbers, 0.05, ["a"] * 100) <= 0.9
    assert 0.9 < threshold(numbers, 0.04, ["a"] * 100) < 1


def test_a_rate_below_one_row_is_above_all_rows():
    assert 0.7 < threshold(np.array([0.1, 0.7, 0.3]), 0.01, ["a"] * 3) < 1
