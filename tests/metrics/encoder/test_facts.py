"""What a model says of itself is checked before anything is read with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guard.errors import MetricError
from guard.metrics.encoder.facts import facts
from tests.metrics.encoder import tiny


def test_the_name_changes_with_the_weights(tmp_path: Path) -> None:
    one = facts(tiny.write(tmp_path / "one"))
    other = facts(tiny.write(tmp_path / "other", adds={"attack": {"toxicity": 1.0}}))
    assert one.model.startswith("tiny-1+")
    assert one.model != other.model


def test_scale_and_bias_are_those_of_the_heads_and_of_their_labels(tmp_path: Path) -> None:
    heads = tiny.heads()
    heads["sexism"] |= {"scale": 2.0, "bias": 1.0}
    heads["toxicity"]["labels"]["insult"] = {"scale": 3.0, "bias": -1.0}
    said = facts(tiny.write(tmp_path, heads=heads))
    scales, biases = said.calibration
    found = {column: (scales[at], biases[at]) for at, column in enumerate(said.columns)}
    assert found["sexism"] == (2, 1)
    assert found["toxicity"] == (1, 0)
    assert found["toxicity/insult"] == (3, -1)
    assert found["tone/joy"] == (1, 0)


def test_a_label_is_found_by_its_column(folder: Path) -> None:
    said = facts(folder)
    assert set(said.under("tone")) == set(tiny.TONES)
    assert said.columns[said.under("toxicity")["insult"]] == "toxicity/insult"
    assert said.token_columns[said.tags("pii")["B-PERSON"]] == "pii/B-PERSON"
    assert said.mark("toxicity") is None


def test_a_folder_without_a_model_says_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="install Guard again"):
        facts(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"columns": ["toxicity"]}, "no column 'prompt_injection'"),
        ({"window": {"tokens": 32, "overlap": 15}}, "share 14 tokens at most, not 15"),
        ({"pair": {"tokens": 48, "response": 40, "overlap": 4}}, "share 1 tokens at most"),
        ({"heads": {"a": {"kind": "other"}}}, "heads.a.kind"),
        ({"sha256": None}, "sha256"),
    ],
)
def test_facts_that_contradict_themselves_are_refused(tmp_path: Path, wrong: dict[str, object], what: str) -> None:
    tiny.write(tmp_path, **wrong)
    with pytest.raises(MetricError, match=what):
        facts(tmp_path)


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(MetricError, match="cannot be used"):
        facts(tmp_path)


def test_figures_beside_the_facts_do_no_harm(tmp_path: Path) -> None:
    said = json.loads((tiny.write(tmp_path) / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(said | {"figures": {"auroc": 0.9}}))
    assert facts(tmp_path).name == "tiny"
