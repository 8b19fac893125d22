"""Token classification by small models made on the spot: ONNX and torch agree, alone and in batches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from guard.errors import MetricError
from guard.metrics import Metric, Score, Turn
from guard.metrics.checkpoint import find
from guard.metrics.onnx_model import OnnxModel
from guard.metrics.registry import make
from guard.metrics.transformers_model import TransformersModel
from tests.metrics import checkpoints

pytestmark = pytest.mark.slow

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
#: What each kind of tokenizer makes of the name "hello", and the tag that a model learns for it.
TAUGHT = {
    "wordpiece": {"hello": "B-PER", "world": "I-PER"},
    "byte_bpe": {"Ġhello": "B-PER"},
    "unigram": {"▁hello": "B-PER", "▁world": "I-PER"},
}
TEXT = "see [SEP] hello world, \n" + "and so on. " * 40 + "hello world </s>"


@pytest.fixture(scope="module", params=checkpoints.TOKENIZERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token classifier that knows names, with torch weights and the ONNX graph of the same."""
    saved = checkpoints.save(tmp_path_factory.mktemp(request.param), request.param, LABELS, "TokenClassification")
    return checkpoints.export(checkpoints.teach(saved, TAUGHT[request.param]))


def metric(folder: Path, **fields: object) -> Metric:
    declared = {"kind": "token_classifier", "model": folder.name, "labels": {"PER": "person"}, **fields}
    return make("names", declared, folder.parent)


def read(made: Metric) -> list[tuple[str, str]]:
    assert made.warm_up
    made.warm_up()
    measured = made.measure(Turn.of(TEXT), "input")
    assert isinstance(measured, Score), measured
    return [(span.label, TEXT[span.start : span.end]) for span in measured.spans]


def test_a_policy_finds_names_through_onnx(folder: Path) -> None:
    name = "hello" if "byte_bpe" in folder.name else "hello world"
    assert read(metric(folder)) == [("person", name)] * 2
    assert metric(folder).labels == {"person", "LOC"}
    assert isinstance(find(folder.name, folder.parent, task="token-classification").load("cpu", 1), OnnxModel)


def test_a_policy_finds_the_same_through_torch(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    for file in folder.iterdir():
        if file.suffix != ".onnx":
            (weights / file.name).symlink_to(file)
    assert read(metric(weights)) == read(metric(folder))


def test_both_back_ends_and_batches_answer_alike(folder: Path) -> None:
    onnx = OnnxModel.load(folder / "model.onnx", folder)
    torch = TransformersModel.load(str(folder), task="token-classification")
    pieces = torch.tokens.pieces(TEXT, 10_000)
    windows = [torch.tokens.window(pieces, *place) for place in pieces.ranges(30, 4)]
    assert len({len(window.ids) for window in windows}) > 1
    alone = torch.token_logits(windows)
    for answers in (onnx.token_logits(windows), replace(torch, batch=96).token_logits(windows)):
        for window, one, other in zip(windows, answers, alone, strict=True):
            assert one.shape == (len(window.ids), len(LABELS))
            assert one == pytest.approx(other, abs=1e-3)
    assert np.ptp(np.concatenate(alone), axis=0).min() > 0.1


@pytest.mark.parametrize(
    ("made", "asked", "wrong"),
    [
        ("SequenceClassification", "token-classification", "BertForSequenceClassification"),
        ("TokenClassification", "text-classification", "no bert.pooler"),
    ],
)
def test_a_checkpoint_of_the_other_task_is_refused(made: str, asked: str, wrong: str, tmp_path: Path) -> None:
    checkpoints.save(tmp_path, task=made)
    with pytest.raises(MetricError, match=f"was not trained for {asked} .*{wrong}"):
        TransformersModel.load(str(tmp_path), task=asked)


def test_a_graph_of_the_other_task_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    texts = checkpoints.export(checkpoints.save(tmp_path / "texts", labels=LABELS))
    tokens = checkpoints.export(checkpoints.save(tmp_path / "tokens", labels=LABELS, task="TokenClassification"))
    with pytest.raises(MetricError, match="take one for token classification"):
        metric(texts).warm_up()  # type: ignore[misc]
    classifier = make("m", {"kind": "classifier", "model": tokens.name, "positive": "O"}, tmp_path)
    with pytest.raises(MetricError, match="answered in the shape"):
        classifier.warm_up()  # type: ignore[misc]


def test_a_graph_on_the_hub_is_run_without_torch(folder: Path, tmp_path: Path) -> None:
    cached = tmp_path / "models--org--names"
    shutil.copytree(folder, cached / "snapshots" / "abc", ignore=shutil.ignore_patterns("*.safetensors", "*.onnx"))
    (cached / "snapshots" / "abc" / "onnx").mkdir()
    shutil.copy(folder / "model.onnx", cached / "snapshots" / "abc" / "onnx" / "model.onnx")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    program = (
        "import sys; from pathlib import Path; from guard.errors import MetricError; from guard.metrics import Turn\n"
        "from guard.metrics.registry import make\n"
        "def names(**fields): return make('m', {'kind': 'token_classifier', 'model': 'org/names', **fields}, Path())\n"
        "print(names(graph='onnx/model.onnx').measure(Turn.of(sys.argv[1]), 'input').value, 'torch' in sys.modules)\n"
        "try: names(graph='other.onnx').warm_up()\n"
        "except MetricError as error: print(error)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, TEXT], capture_output=True, text=True, env=offline, check=True
    )
    found, refused = done.stdout.splitlines()
    assert found == "('PER',) False"
    assert "'org/names' has no other.onnx" in refused
