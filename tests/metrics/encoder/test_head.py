"""A head of one's own at run time. The tiny encoder's embedding is (1, the mean of the token types)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard.errors import MetricError
from guard.metrics import Score, Turn
from guard.metrics.encoder import head as room
from guard.metrics.encoder.facts import facts
from guard.metrics.encoder.head import Head
from guard.metrics.encoder.head_file import encoded
from guard.metrics.encoder.model import Encoder
from guard.metrics.metric import Metric


@pytest.fixture(autouse=True)
def _tiny(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FOLDER", folder)


@pytest.fixture
def loud(folder: Path, tmp_path: Path) -> Path:
    """A policy's folder with a number: how much of a text is in capitals."""
    write(folder, tmp_path / "loud.head.json")
    return tmp_path


def write(model: Path, file: Path, table: Any = ((-6.0,), (8.0,)), **changed: Any) -> None:
    said = facts(model)
    data = {
        "name": "loud",
        "gives": "number",
        "thresholds": [0.5],
        "encoder": {"model": said.model, "sha256": dict(said.sha256)},
        "biases": [0.0] * np.shape(table)[1],
        "weights": encoded(np.array(table, np.float32)),
    }
    file.write_text(json.dumps(data | changed))


def made(folder: Path, **settings: Any) -> Metric:
    return Head.model_validate({"file": "loud.head.json", **settings}).make("shouting", folder)


def measured(metric: Metric, *texts: str) -> Any:
    score = metric.measure(
        Turn.of(texts[0]) if len(texts) == 1 else Turn(output=texts), "input" if len(texts) == 1 else "output"
    )
    assert isinstance(score, Score)
    return score


def test_a_number_is_the_probability_that_the_weights_give_the_embedding(loud):
    # [CLS] cat SAT [SEP]: types 0 0 2 0, so the embedding is (1, 0.5).
    score = measured(made(loud), "cat SAT")
    assert score.value == pytest.approx(1 / (1 + math.exp(2)), abs=1e-5)
    assert (score.labels, score.spans) == ((), ())


def test_what_reaches_the_threshold_is_marked_with_the_policys_name_for_it(loud):
    score = measured(made(loud), "THE CAT SAT ON MAT")
    assert score.value > 0.5
    assert score.labels == ("shouting",)
    assert [(span.start, span.end, span.label) for span in score.spans] == [(0, 18, "shouting")]
    assert measured(made(loud, threshold=1), "THE CAT SAT ON MAT").labels == ()


def test_a_long_text_counts_as_its_highest_window_and_that_is_the_span(loud):
    quiet = "the cat sat on the mat and then it slept for hours in the warm sun. " * 4
    score = measured(
        made(loud), quiet + "THE DOG RAN FAR AWAY AND THEN IT SLEPT FOR HOURS IN THE WARM SUN AND THE CAT SAT."
    )
    assert score.value > 0.5
    assert measured(made(loud), quiet).value < 0.01
    assert all(span.end > len(quiet) for span in score.spans)


@pytest.mark.parametrize("text", ["", "\0", "\u200b"])
def test_of_a_text_with_nothing_in_it_a_number_is_0(loud, text):
    assert measured(made(loud), text).value == 0


def test_labels_are_each_found_by_their_own_threshold(folder, loud):
    columns = [[-6.0, -2.0], [8.0, 0.0]]
    write(folder, loud / "loud.head.json", columns, gives="labels", labels=["loud", "faint"], thresholds=[0.5, 0.1])
    score = measured(made(loud), "cat")
    assert score.value == ("faint",)
    assert score.by_label == pytest.approx({"loud": 1 / (1 + math.exp(6)), "faint": 1 / (1 + math.exp(2))}, abs=1e-5)
    assert set(measured(made(loud), "THE CAT SAT ON MAT").value) == {"loud", "faint"}


def test_a_label_is_the_likeliest_of_all_texts_of_a_side_together(folder, loud):
    write(folder, loud / "loud.head.json", [[-3, 3], [6, -6]], gives="label", labels=["loud", "quiet"], thresholds=[])
    metric = made(loud)
    assert (metric.kind, metric.windowed, metric.labels) == ("label", False, {"loud", "quiet"})
    assert measured(metric, "CAT").value == "loud"
    assert measured(metric, "CAT", "the cat sat on the mat and then it slept for hours").value == "quiet"
    assert measured(metric, "").value == ""
    with pytest.raises(MetricError, match="has none; leave it out"):
        made(loud, threshold=0.5)


def test_a_head_of_another_encoder_is_refused_with_the_fix(folder, loud):
    write(folder, loud / "loud.head.json", encoder={"model": "older-1+00000000", "sha256": {"model.onnx": "00"}})
    with pytest.raises(
        MetricError, match=r"fitted on older-1\+00000000, and the encoder here is tiny-1.*guard metrics train loud"
    ):
        made(loud)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"weights": "AAAA"}, "weights cannot be read"),
        ({"weights": "%"}, "weights cannot be read"),
        ({"weights": encoded(np.array([[np.nan], [1]]))}, "no numbers"),
        ({"weights": ""}, "no numbers"),
        ({"gives": "labels"}, "1 biases, 0 labels and 1 thresholds"),
        ({"thresholds": []}, "0 thresholds"),
        ({"thresholds": [0]}, "thresholds.0"),
        ({"format": 2}, "format"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(folder, loud, changed, problem):
    write(folder, loud / "loud.head.json", **changed)
    with pytest.raises(MetricError, match=problem):
        made(loud)


def test_a_file_that_is_no_head_is_refused_without_telling_what_is_in_it(loud):
    (loud / "loud.head.json").write_text("password: hunter2")
    with pytest.raises(MetricError, match="is no head") as raised:
        made(loud)
    assert "hunter2" not in str(raised.value)
    with pytest.raises(MetricError, match=r"cannot be read.*begins at the policy's folder.*guard metrics train"):
        made(loud, file="gone.head.json")


def test_the_version_changes_with_the_file_and_the_threshold(folder, loud):
    versions = [made(loud).version, made(loud, threshold=0.7).version]
    write(folder, loud / "loud.head.json", biases=[0.1])
    versions.append(made(loud).version)
    assert len(set(versions)) == 3


def test_two_heads_read_a_text_in_one_pass(folder, loud, monkeypatch):
    model = Encoder.load(folder)
    monkeypatch.setattr(room, "encoder", lambda _: model)
    runs = []
    run = model.graph.run
    monkeypatch.setattr(type(model.graph), "run", lambda self, *given: runs.append(given) or run(*given))
    first, second = made(loud), made(loud, threshold=0.9)
    measured(first, "the cat sat")
    measured(second, "the cat sat")
    assert len(runs) == 1
    assert first.shared == second.shared == facts(folder).model
