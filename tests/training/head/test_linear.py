from __future__ import annotations

import numpy as np
import pytest

from guard.training.head.calibrate import platt, temperature
from guard.training.head.embed import Texts
from guard.training.head.linear import STRENGTHS, Solver, folds, highest, one_of, yes_or_no

CHANCE = np.random.default_rng(0)


def single(table):
    return Texts(np.asarray(table, np.float32), np.arange(len(table)), np.ones(len(table), int))


def test_standardising_is_part_of_the_weights():
    table = CHANCE.normal(size=(60, 3)).astype(np.float32)
    truth = table[:, 0] + table[:, 1] > 0
    weights = np.ones(60)
    plain = Solver(table, truth).fit(0.1, weights).logits(table)
    moved = Solver(table * [100, 1, 0.01] + [5, -3, 1000], truth).fit(0.1, weights)
    assert np.allclose(plain, moved.logits((table * [100, 1, 0.01] + [5, -3, 1000]).astype(np.float32)), atol=0.15)
    assert ((plain[:, 0] > 0) == truth).mean() > 0.9


def test_fewer_rows_than_columns_give_what_all_columns_would():
    table = CHANCE.normal(size=(30, 20)).astype(np.float32)
    truth = table[:, 0] > 0
    # Rows told twice change nothing of a mean loss, and make more rows than columns.
    wide = np.concatenate([table[:, :20], np.zeros((30, 80), np.float32)], axis=1)
    few = Solver(wide, truth).fit(0.3, np.ones(30))
    many = Solver(np.repeat(table, 2, axis=0), np.repeat(truth, 2)).fit(0.3, np.ones(60))
    assert np.allclose(few.weights[:20], many.weights, atol=2e-3)


def test_a_column_that_is_the_same_everywhere_weighs_nothing():
    table = np.stack([np.ones(40), np.linspace(-1, 1, 40)], axis=1).astype(np.float32)
    assert Solver(table, np.arange(40) >= 20).fit(0.1, np.ones(40)).weights[0] == 0


def test_the_stronger_the_penalty_the_smaller_the_weights():
    table = CHANCE.normal(size=(80, 4))
    sizes = [float(np.abs(fit.weights).sum()) for fit in yes_or_no(single(table), table[:, 0] > 0)]
    assert len(sizes) == len(STRENGTHS)
    assert sizes == sorted(sizes)


def test_a_rare_yes_weighs_as_much_as_all_noes():
    table = np.concatenate([CHANCE.normal(1, 1, (20, 1)), CHANCE.normal(-1, 1, (980, 1))])
    fit = list(yes_or_no(single(table), np.arange(1000) < 20))[4]
    assert abs(fit.biases[0] / fit.weights[0, 0]) < 0.4  # between the two, not at the noes' side


def test_of_a_long_yes_the_window_is_found_that_makes_it_one():
    # Every text has five windows. In a yes one of them is high in column 0, and what stands around it leans to column
    # 1, which in a no may stand much higher: whoever takes every window of a yes for one falls for column 1.
    table = CHANCE.normal(size=(200, 5, 8)).astype(np.float32)
    truth = np.arange(200) < 100
    table[:100, :, 1] += 2
    table[np.arange(100), CHANCE.integers(0, 5, 100)] += np.eye(8)[0] * 5 - np.eye(8)[1] * 2
    table[np.arange(100, 200), CHANCE.integers(0, 5, 100), 1] += 5
    texts = Texts(table.reshape(-1, 8), np.repeat(np.arange(200), 5), np.ones(1000, int))
    fit = list(yes_or_no(texts, truth))[4]
    found = highest(texts, fit.logits(texts.embeddings)[:, 0])
    assert (found[:100, None] > found[None, 100:]).mean() > 0.97


@pytest.mark.parametrize("classes", [2, 3])
def test_each_class_has_a_column_even_where_there_are_two(classes):
    truth = np.arange(90) % classes
    table = np.eye(3)[truth] + CHANCE.normal(0, 0.2, (90, 3))
    fits = list(one_of(single(table), truth))
    assert {fit.weights.shape for fit in fits} == {(3, classes)}
    assert (fits[-1].logits(table.astype(np.float32)).argmax(axis=1) == truth).all()


def test_folds_hold_every_row_out_once_and_never_part_a_unit():
    truth = np.arange(100) % 4 == 0
    units = np.arange(100) // 3
    masks = list(folds(truth, units, 0))
    assert np.array_equal(np.sum(masks, axis=0), np.ones(100))
    assert all(len(np.unique(mask[units == unit])) == 1 for mask in masks for unit in range(34))
    assert all(3 <= truth[mask].sum() <= 7 for mask in masks)


def test_calibrated_logits_are_log_odds():
    odds = CHANCE.normal(0, 2, 20_000)
    truth = CHANCE.random(20_000) < 1 / (1 + np.exp(-odds))
    slope, shift = platt(odds * 7 + 3, truth)
    assert slope == pytest.approx(1 / 7, rel=0.05)
    assert shift == pytest.approx(-3 / 7, abs=0.08)


def test_few_rows_that_are_told_apart_altogether_are_not_taken_for_certain():
    slope, shift = platt(np.array([-1.0] * 5 + [1.0] * 5), np.arange(10) >= 5)
    assert 1 / (1 + np.exp(-slope - shift)) == pytest.approx(6 / 7, abs=0.01)


def test_a_temperature_takes_exaggeration_back():
    logits = CHANCE.normal(0, 1.5, (20_000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (shares.cumsum(axis=1) < CHANCE.random((20_000, 1))).sum(axis=1).clip(0, 2)
    assert temperature(logits * 5, truth) == pytest.approx(0.2, rel=0.05)
