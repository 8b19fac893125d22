from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from guard.evaluate import Figures, figures

#: Few distinct scores, so that there are many ties; both truths occur.
rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda rows: {truth for truth, _ in rows} == {0, 1}
)


@settings(max_examples=25)
@given(rows)
def test_the_figures_are_those_of_scikit_learn_ties_included(rows):
    truth, scores = np.array([row[0] for row in rows]), np.array([row[1] / 6 for row in rows])
    found = figures(truth, scores, at=0.5)
    flagged = scores >= 0.5
    assert found.auroc.value == pytest.approx(roc_auc_score(truth, scores))
    assert found.average_precision.value == pytest.approx(average_precision_score(truth, scores))
    assert found.at.recall.value == pytest.approx(recall_score(truth, flagged))
    assert found.at.false_positives.value == pytest.approx(np.mean(flagged[truth == 0]))
    assert found.at.f1.value == pytest.approx(f1_score(truth, flagged))
    if flagged.any():
        assert found.at.precision.value == pytest.approx(precision_score(truth, flagged))
    else:
        assert found.at.precision is None
    every = [f1_score(truth, scores >= level) for level in np.unique(scores)]
    assert found.best.f1.value == pytest.approx(max(every))


@settings(max_examples=25)
@given(rows, st.sampled_from([0.0, 0.1, 0.29, 0.5]))
def test_a_threshold_at_a_rate_is_the_lowest_score_that_keeps_to_it(rows, rate):
    truth, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], float)
    point = figures(truth, scores, rates=[rate]).at_rates[f"{rate:g}"]
    wrong = scores[truth == 0]
    keeping = [level for level in np.unique(scores) if round(rate * len(wrong), 9) >= np.sum(wrong >= level)]
    assert point.threshold == min(keeping, default=math.inf)
    assert point.recall.value == pytest.approx(np.mean(scores[truth == 1] >= point.threshold))


@settings(max_examples=25)
@given(rows)
def test_every_interval_holds_its_figure_and_stays_between_0_and_1(rows):
    found = figures([row[0] for row in rows], [row[1] for row in rows], at=3)
    points = [found.at, found.best, *found.at_rates.values()]
    shares = [getattr(point, name) for point in points for name in ("recall", "false_positives", "precision", "f1")]
    for one in filter(None, [found.auroc, found.average_precision, *shares]):
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.low < one.high


def test_total_separation_of_few_rows_is_not_told_as_certain():
    found = figures([1] * 5 + [0] * 5, [0.9] * 5 + [0.1] * 5)
    more = figures([1] * 500 + [0] * 500, [0.9] * 500 + [0.1] * 500)
    assert found.auroc.value == found.average_precision.value == found.at.recall.value == 1
    assert max(found.auroc.low, found.average_precision.low, found.at.recall.low) < 0.75
    assert min(more.auroc.low, more.average_precision.low, more.at.recall.low) > 0.98


def test_the_threshold_that_was_asked_for_is_the_one_that_is_told():
    found = figures([0, 1, 1], [0.1, 0.8, 0.9], at=0.5, groups=["a", "a", "b"])
    assert found.at.threshold == found.groups["a"].at.threshold == found.groups["b"].at.threshold == 0.5


def test_groups_are_looked_at_with_the_thresholds_of_all_rows():
    truth, scores = [0, 0, 1, 1, 0, 1], [0.1, 0.6, 0.7, 0.9, 0.8, 0.85]
    found = figures(truth, scores, groups=list("aaaabb"), rates=[0.4])
    assert found.at_rates["0.4"].threshold == 0.7
    assert found.groups["b"].at_rates["0.4"].threshold == 0.7
    assert found.groups["b"].at_rates["0.4"].false_positives.value == 1
    assert (found.groups["a"].rows, found.groups["a"].positives, found.groups["a"].auroc.value) == (4, 2, 1)


def test_rows_of_one_kind_have_no_figures_that_take_both():
    harmless = figures([0, 0, 0], [0.1, 0.2, 0.9])
    assert (harmless.auroc, harmless.average_precision, harmless.best, harmless.at_rates) == (None, None, None, {})
    assert harmless.at.recall is None
    assert harmless.at.false_positives.value == pytest.approx(1 / 3)


def test_where_a_negative_stands_on_top_no_threshold_keeps_to_a_strict_rate():
    found = figures([1, 0, 0], [0.5, 0.9, 0.1])
    assert found.at_rates["0.001"].threshold == math.inf
    assert found.at_rates["0.001"].recall.value == 0


def test_a_rate_that_floats_put_a_hair_too_low_is_kept_to_the_row():
    wrong = [number / 100 for number in range(100)]
    assert 0.29 * len(wrong) < 29
    found = figures([0] * 100 + [1], [*wrong, 2.0], rates=[0.29])
    assert found.at_rates["0.29"].false_positives.value == 0.29


def test_low_scores_can_mean_a_positive_and_thresholds_stay_on_the_score_s_own_scale():
    truth, scores = np.array([1, 1, 0, 0, 1]), np.array([0.1, 0.2, 0.3, 0.9, 0.25])
    high, low = figures(truth, -scores, at=-0.22), figures(truth, scores, at=0.22, low=True)
    assert low.auroc == high.auroc
    assert low.at.threshold == 0.22
    assert low.at.recall.value == pytest.approx(2 / 3)
    assert low.at_rates["0.01"].threshold == 0.25
    assert figures([1, 0], [0.9, 0.1], low=True).at_rates["0.01"].threshold == -math.inf


@pytest.mark.parametrize(
    ("truth", "scores", "groups"),
    [([0, 1], [0.1], None), ([0, 2], [0.1, 0.2], None), ([0, 1], [0.1, math.nan], None), ([0, 1], [0.1, 0.2], ["a"])],
)
def test_what_cannot_be_compared_is_refused(truth, scores, groups):
    with pytest.raises(ValueError, match=r"give one|a truth is"):
        figures(truth, scores, groups=groups)


def test_the_same_rows_give_the_same_intervals():
    truth, scores = [0, 1] * 50, list(np.random.default_rng(0).normal(size=100))
    assert figures(truth, scores) == figures(truth, scores)


@pytest.mark.slow
@pytest.mark.parametrize(("positives", "negatives", "apart"), [(30, 300, 2.0), (200, 100, 1.0)])
def test_intervals_hold_the_true_figure_about_as_often_as_they_say(positives, negatives, apart):
    chance = np.random.default_rng(7)
    truth = np.repeat([1, 0], [positives, negatives])
    auroc, recall = norm.cdf(apart / 2**0.5), norm.sf(norm.isf(0.05) - apart)
    held = np.zeros(2)
    for _ in range(200):
        scores = np.concatenate([chance.normal(apart, 1, positives), chance.normal(0, 1, negatives)])
        found: Figures = figures(truth, scores)
        pairs = [(found.auroc, auroc), (found.at_rates["0.05"].recall, recall)]
        held += [one.low <= value <= one.high for one, value in pairs]
    assert (held >= 178).all()  # 95 % of 200 is 190, give or take 3
