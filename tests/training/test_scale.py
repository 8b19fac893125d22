"""The facts beside the weights: read by the run time as they are, calibrated on rows kept from training."""

from __future__ import annotations

import numpy as np
import pytest

from guard.metrics.encoder.facts import Facts
from guard.metrics.pii.head import head_labels
from guard.training.encode import Encoder
from guard.training.scale import facts, token_columns, uncalibrated
from guard.training.validate import Judged
from tests.training import tiny

pytestmark = pytest.mark.slow

SPEC = tiny.spec()
CHANCE = np.random.default_rng(3)


def judged(number, truths):
    """Rows of known columns; a logit is 4 where the truth is 1 and 0 where it is 0, more or less."""
    rows = [tiny.row(f"text {at}", {name: float(of(at)) for name, of in truths.items()}) for at in range(number)]
    logits = CHANCE.normal(0, 1, (number, len(SPEC.columns))).astype(np.float32)
    for at, row in enumerate(rows):
        for name, value in row.truth.items():
            logits[at, SPEC.columns.index(name)] += 4 * value
    return Judged(rows, logits)


@pytest.fixture(scope="module")
def told():
    odd = {name: (lambda at: at % 2) for name in SPEC.columns if not name.startswith("tone/")}
    held = {"attacks": judged(2000, odd)}
    none = dict.fromkeys(("prompt_injection", "toxicity"), lambda at: 0)
    return facts(SPEC, held, {"plain": judged(4000, none), "attacks": judged(4000, odd)})


def test_the_run_time_reads_them(told):
    said = Facts.model_validate(told | {"sha256": {}})
    assert said.columns == SPEC.columns
    assert {name: head.kind for name, head in said.heads.items()} == {
        "prompt_injection": "number",
        "toxicity": "number",
        "tone": "label",
        "pii": "spans",
        "context_adherence": "pair",
    }
    assert said.heads["prompt_injection"].names_one
    assert said.heads["toxicity"].labels["threat"].floor == 0
    assert said.heads["toxicity"].labels["insult"].floor == 0.5
    assert (said.window.model_dump(), said.pair.model_dump()) == (SPEC.window.model_dump(), SPEC.pair.model_dump())


def test_half_is_even_odds_for_every_head_and_label(told):
    heads = [told["heads"][name] for name in ("prompt_injection", "toxicity", "context_adherence")]
    for scale in [*heads, *(label for head in heads for label in head["labels"].values())]:
        assert -scale["bias"] / scale["scale"] == pytest.approx(2, abs=0.15)


def test_thresholds_are_those_of_ordinary_rows_that_are_known_to_be_harmless(told):
    thresholds = told["heads"]["toxicity"]["thresholds"]
    assert list(thresholds) == ["0.001", "0.005", "0.01", "0.05"]
    assert sorted(thresholds.values(), reverse=True) == list(thresholds.values())
    head = told["heads"]["toxicity"]
    logit = (np.log(thresholds["0.05"] / (1 - thresholds["0.05"])) - head["bias"]) / head["scale"]
    # A harmless row's logit is normal about 0: one in twenty lies above 1.64.
    assert logit == pytest.approx(1.64, abs=0.1)


def test_without_ordinary_rows_there_are_no_thresholds():
    held = {"attacks": judged(100, {"toxicity": lambda at: at % 2})}
    assert "thresholds" not in facts(SPEC, held, {})["heads"]["toxicity"]


def test_before_anything_is_known_logits_are_taken_as_they_are():
    said = Facts.model_validate(uncalibrated(SPEC) | {"sha256": {}})
    scales, biases = said.calibration
    assert scales.tolist() == [1] * len(SPEC.columns)
    assert biases.tolist() == [0] * len(SPEC.columns)


def test_a_tokens_numbers_are_the_personal_labels_in_their_order_and_then_the_marks():
    names, labels = token_columns(), list(head_labels())
    assert names[0] == "pii/O"
    assert names[1:-2:2] == [f"pii/B-{label}" for label in labels]
    assert names[2:-2:2] == [f"pii/I-{label}" for label in labels]
    assert names[-2:] == ["prompt_injection", "context_adherence"]
    assert len(names) == Encoder(SPEC, tiny.tokens(), labels).classes + 2
