from __future__ import annotations

import numpy as np
import pytest

from guard.errors import SettingsError
from guard.training.head.embed import Texts
from guard.training.head.fit import between, fit_one_of, fit_yes_or_no, repeats
from guard.training.head.linear import FOLDS


def single(table):
    return Texts(np.asarray(table, np.float32), np.arange(len(table)), np.ones(len(table), int))


def drawn(rows, apart, columns=6):
    truth = np.arange(rows) % 2 == 0
    table = np.random.default_rng(rows).normal(size=(rows, columns))
    table[:, 0] += apart * truth
    return single(table), truth


def yes_or_no(texts, truth, units=None, rate=0.05):
    return fit_yes_or_no(texts, truth, np.arange(texts.count) if units is None else units, rate, lambda: None)


def test_figures_are_those_of_rows_held_out():
    # As many columns as rows: on the rows it is fitted on, a head could tell any labels apart.
    texts, truth = drawn(300, 1.0, columns=300)
    found = yes_or_no(texts, truth)
    assert 0.6 < found.figures.auroc.value < 0.85


def test_rows_of_one_text_give_each_other_no_help():
    # Each text stands there four times with a label of its own that nothing in it tells.
    chance = np.random.default_rng(1)
    table = np.repeat(chance.normal(size=(60, 40)), 4, axis=0)
    truth = np.repeat(chance.random(60) < 0.5, 4)
    alone = yes_or_no(single(table), truth)
    assert alone.figures.auroc.value > 0.9
    try:
        together = yes_or_no(single(table), truth, np.repeat(np.arange(60), 4)).figures.auroc.value
    except SettingsError:
        together = 0.5
    assert together < 0.7


def test_half_is_even_odds_however_rare_a_yes_is():
    truth = np.arange(4000) % 10 == 0
    table = np.random.default_rng(2).normal(size=(4000, 3))
    table[:, 0] += 1.5 * truth
    found = yes_or_no(single(table), truth)
    assert found.scores.mean() == pytest.approx(0.1, abs=0.01)
    near = (found.scores > 0.4) & (found.scores < 0.6)
    assert truth[near].mean() == pytest.approx(0.5, abs=0.12)


def test_the_threshold_keeps_the_false_positives_that_were_asked_for():
    texts, truth = drawn(2000, 2.0)
    found = yes_or_no(texts, truth, rate=0.03)
    assert (found.scores[~truth] >= found.threshold).mean() <= 0.03
    assert (found.scores[~truth] >= found.threshold - 0.05).mean() > 0.03
    assert found.figures.at_rates["0.03"].recall.value == (found.scores[truth] >= found.threshold).mean()


def test_the_fewer_the_rows_the_stronger_the_penalty():
    few, many = drawn(40, 3.0, 60), drawn(3000, 1.0, 60)
    assert yes_or_no(*few).strength > yes_or_no(*many).strength


def test_few_rows_have_a_wide_interval():
    found = yes_or_no(*drawn(20, 8.0))
    assert found.figures.auroc.value > 0.95
    assert found.figures.auroc.low < 0.85


def test_what_cannot_be_told_apart_is_refused():
    truth = np.arange(40) % 2 == 0
    with pytest.raises(SettingsError, match="no better than chance; check the labels"):
        yes_or_no(single(np.zeros((40, 3))), truth)


def test_classes_are_tried_on_rows_held_out_too():
    truth = np.arange(150) % 3
    table = np.eye(3)[truth] + np.random.default_rng(3).normal(0, 0.5, (150, 3))
    texts = Texts(np.repeat(table, 2, axis=0).astype(np.float32), np.repeat(np.arange(150), 2), np.ones(300, int))
    found = fit_one_of(texts, truth, np.arange(150), ("a", "b", "c"), lambda: None)
    assert found.agreements.labels.keys() == {"a", "b", "c"}
    assert 0.75 < found.agreements.total.f1.value < 1
    assert (found.linear.logits(table.astype(np.float32)).argmax(axis=1) == truth).mean() > 0.75


@pytest.mark.parametrize("rows", [18, 30])
def test_the_work_is_heard_of_step_by_step(rows):
    heard = []
    texts, truth = drawn(rows, 3.0)
    fit_yes_or_no(texts, truth, np.arange(rows), 0.01, lambda: heard.append(1))
    assert len(heard) == repeats(rows) * FOLDS + 1


@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        ([0.1, 0.4, 0.8, 0.9], 0.8, 0.6),
        ([0.1, 0.80001, 0.80002], 0.80002, 0.800015),
        ([0.1, 0.7], float("inf"), 0.85),
        ([0.3, 0.9], 0.3, 0.15),
    ],
)
def test_a_threshold_is_a_short_number_between_the_scores(scores, threshold, expected):
    assert between(np.array(scores), threshold) == pytest.approx(expected)
