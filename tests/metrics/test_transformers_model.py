"""Checkpoints that torch runs: what was not trained to classify, or cannot be found, is refused when it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace as Made
from typing import Any

import pytest

from guard.errors import MetricError
from guard.metrics import Score, Turn
from guard.metrics.registry import make
from guard.metrics.transformers_model import BATCH, TransformersModel, batch
from tests.metrics import checkpoints

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.save(tmp_path_factory.mktemp("bert"))


def test_a_policy_reads_a_transformers_folder_through_torch(bert: Path) -> None:
    metric = make("tone", {"kind": "classifier", "model": bert.name, "gives": "label"}, bert.parent)
    assert metric.warm_up
    metric.warm_up()
    measured = metric.measure(Turn.of("hello world " * 40), "input")
    assert isinstance(measured, Score)
    assert measured.value in {"safe", "attack"}


@pytest.mark.parametrize("kind", checkpoints.TOKENIZERS)
def test_windows_read_in_batches_answer_as_one_by_one(kind: str, tmp_path: Path) -> None:
    model = TransformersModel.load(str(checkpoints.save(tmp_path, kind)))
    windows = [*model.tokens.windows("hello bomb " * 30, 32, 4), *model.tokens.windows("hello", 32, 4)]
    alone = model.logits(windows)
    assert replace(model, batch=4 * 32).logits(windows) == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize(("device", "padding", "tokens"), [("cuda", 0, BATCH), ("cpu", 0, 0), ("cuda", None, 0)])
def test_windows_are_batched_on_a_gpu_where_the_model_has_a_padding_token(
    device: str, padding: int | None, tokens: int
) -> None:
    assert batch(Made(device=Made(type=device), config=Made(pad_token_id=padding))) == tokens


def test_a_batch_holds_no_more_tokens_than_it_may(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel.load(str(bert))
    windows = [*model.tokens.windows("hello bomb " * 60, 32, 4), *model.tokens.windows("hello", 32, 4)]
    sizes: list[tuple[int, int]] = []
    padded = TransformersModel._padded

    def counted(self: TransformersModel, group: list[Any]) -> dict[str, Any]:
        feed = padded(self, group)
        sizes.append(tuple(feed["input_ids"].shape))
        return feed

    monkeypatch.setattr(TransformersModel, "_padded", counted)
    replace(model, batch=3 * 32 + 31).logits(windows)
    assert [rows for rows, _ in sizes[:-1]] == [3] * (len(sizes) - 1)
    assert sum(rows for rows, _ in sizes) == len(windows)


def test_many_labels_are_read_by_their_own_probabilities(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "m", labels=("insult", "threat"), problem_type="multi_label_classification")
    metric = make("m", {"kind": "classifier", "model": "m", "gives": "labels", "threshold": 0.01}, tmp_path)
    measured = metric.measure(Turn.of("hello"), "input")
    assert isinstance(measured, Score)
    assert sum(measured.by_label.values()) != pytest.approx(1)


def test_a_checkpoint_without_a_trained_head_is_refused(bert: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertForMaskedLM

    BertForMaskedLM.from_pretrained(bert).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path)
    with pytest.raises(MetricError, match="was not trained for text-classification"):
        TransformersModel.load(str(tmp_path))


def test_code_that_comes_with_a_checkpoint_is_not_run(bert: Path, tmp_path: Path) -> None:
    for file in bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = (tmp_path / "config.json").read_text()
    own = '"auto_map": {"AutoConfig": "own.C", "AutoModelForSequenceClassification": "own.M"},'
    (tmp_path / "config.json").write_text(config.replace("{", "{" + own, 1).replace('"bert"', '"their_own"'))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(MetricError, match="cannot be loaded"):
        TransformersModel.load(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_a_model_that_cannot_be_fetched_says_what_to_do() -> None:
    program = (
        "from guard.metrics.registry import make; from pathlib import Path; from guard.errors import MetricError\n"
        "try: make('m', {'kind': 'classifier', 'model': 'nobody/nothing', 'positive': 'x'}, Path()).warm_up()\n"
        "except MetricError as error: print(error)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=offline, check=True)
    assert "'nobody/nothing' cannot be loaded" in done.stdout
    assert "give a local folder" in done.stdout
    assert "HF_HUB_OFFLINE=0" in done.stdout


def test_without_torch_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MetricError, match=r"pip install 'stageguard\[models\]'"):
        TransformersModel.load("org/m")


def test_a_device_that_is_not_there_is_refused(bert: Path) -> None:
    with pytest.raises(MetricError, match="cannot be loaded"):
        TransformersModel.load(str(bert), device="no-such-device")
