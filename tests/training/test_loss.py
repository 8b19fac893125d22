"""What a batch costs: only what is known, by the weights of its rows and heads."""

from __future__ import annotations

import math

import pytest
import torch

from guard.training.loss import Loss, Targets
from tests.training import tiny

pytestmark = pytest.mark.slow

SPEC = tiny.spec(optimiser={"smoothing": 0.0})
CLASSES = tiny.encoder(SPEC).classes
COLUMNS = {name: at for at, name in enumerate(SPEC.columns)}


def targets(rows=1, length=4, **known):
    """Nothing known but what is told: columns by name, for the first row."""
    columns = torch.full((rows, len(COLUMNS)), -1.0)
    for name, value in known.items():
        columns[0, COLUMNS[name.replace("__", "/")]] = value
    return Targets(
        columns=columns,
        entities=torch.full((rows, length), -1),
        known=torch.ones(rows, CLASSES),
        words=torch.full((rows, length, 2), -1.0),
        weights=torch.ones(rows),
    )


def outputs(rows=1, length=4):
    torch.manual_seed(1)
    columns = torch.randn(rows, len(COLUMNS), requires_grad=True)
    return columns, torch.randn(rows, length, CLASSES + 2, requires_grad=True)


def cost(wanted, columns, tokens, spec=SPEC):
    return Loss(spec)(columns, tokens, wanted)


def test_a_batch_that_knows_nothing_costs_nothing():
    assert cost(targets(), *outputs()) == {}


def test_unknown_columns_change_no_gradient():
    columns, tokens = outputs(rows=2)
    sum(cost(targets(rows=2, toxicity=1.0), columns, tokens).values()).backward()
    moved = {(int(row), int(at)) for row, at in columns.grad.nonzero()}
    assert moved == {(0, COLUMNS["toxicity"])}
    assert tokens.grad is None


def test_a_number_costs_its_cross_entropy_by_the_weight_of_its_row_and_head():
    spec = tiny.spec(optimiser={"smoothing": 0.0}, heads={"toxicity": {**tiny.TOLD["heads"]["toxicity"], "loss": 3.0}})
    columns, tokens = torch.zeros(2, len(COLUMNS)), torch.zeros(2, 4, CLASSES + 2)
    wanted = targets(rows=2, toxicity=1.0)
    wanted.weights[0] = 0.5
    assert cost(wanted, columns, tokens, spec)["toxicity"].item() == pytest.approx(3.0 * 0.5 * math.log(2) / 2)


def test_labels_of_a_head_weigh_half_of_it():
    columns, tokens = torch.zeros(1, len(COLUMNS)), torch.zeros(1, 4, CLASSES + 2)
    found = cost(targets(toxicity__insult=1.0, toxicity__threat=0.0), columns, tokens)
    assert {name: part.item() for name, part in found.items()} == {"toxicity/*": pytest.approx(math.log(2) / 2)}


def test_a_choice_costs_least_where_its_shares_are_met():
    wanted = targets(tone__joy=2 / 3, tone__anger=1 / 3, tone__neutral=0.0)
    _, tokens = outputs()

    def of(joy, anger, neutral):
        columns = torch.zeros(1, len(COLUMNS))
        for name, logit in (("joy", joy), ("anger", anger), ("neutral", neutral)):
            columns[0, COLUMNS[f"tone/{name}"]] = logit
        return cost(wanted, columns, tokens)["tone"].item()

    best = of(math.log(2), 0.0, -20.0)
    assert best == pytest.approx(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3))
    assert best < min(of(2.0, 0.0, -20.0), of(0.0, 0.0, -20.0), of(math.log(2), 0.0, 0.0))


def test_truth_is_smoothed_as_told():
    spec = tiny.spec(optimiser={"smoothing": 0.1})
    _, tokens = outputs()

    def of(logit):
        columns = torch.zeros(1, len(COLUMNS))
        columns[0, COLUMNS["toxicity"]] = logit
        return cost(targets(toxicity=1.0), columns, tokens, spec)["toxicity"].item()

    assert of(math.log(9)) < min(of(math.log(9) - 0.3), of(math.log(9) + 0.3))


def test_words_nobody_marked_change_no_gradient():
    columns, tokens = outputs()
    wanted = targets()
    wanted.words[0, 1, 0] = 1.0
    found = cost(wanted, columns, tokens)
    sum(found.values()).backward()
    assert list(found) == ["prompt_injection words"]
    assert tokens.grad.nonzero().tolist() == [[0, 1, CLASSES]]


def test_entities_nobody_annotated_change_no_gradient():
    columns, tokens = outputs()
    wanted = targets()
    wanted.entities[0, 2] = 1
    sum(cost(wanted, columns, tokens).values()).backward()
    assert {place[1] for place in tokens.grad.nonzero().tolist()} == {2}


def test_a_label_nobody_looked_for_is_no_mistake_where_nothing_is_marked():
    columns = torch.zeros(1, len(COLUMNS))
    wanted = targets()
    wanted.entities[0, 0] = 0
    wanted.known[0, 3:] = 0  # nobody looked for the second label

    def of(column):
        tokens = torch.zeros(1, 4, CLASSES + 2)
        tokens[0, 0, column] = 30.0
        return cost(wanted, columns, tokens)["pii"].item()

    assert of(0) == of(3) == of(4) == pytest.approx(0, abs=1e-6)
    assert of(1) > 10


def test_a_label_somebody_looked_for_must_be_found_where_it_is():
    columns, tokens = torch.zeros(1, len(COLUMNS)), torch.zeros(1, 4, CLASSES + 2)
    wanted = targets()
    wanted.entities[0, 0] = 1
    tokens[0, 0, 0] = 30.0
    assert cost(wanted, columns, tokens)["pii"].item() > 10
