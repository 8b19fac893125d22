"""ONNX graphs: they answer as torch does, and what cannot be used is refused when it is loaded."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from guard.errors import MetricError
from guard.metrics import Score, Turn
from guard.metrics.checkpoint import find
from guard.metrics.onnx_model import OnnxModel
from guard.metrics.registry import make
from guard.metrics.transformers_model import TransformersModel
from tests.metrics import checkpoints

pytestmark = pytest.mark.slow

ATTACK = "hello [SEP] world </s> <pad> <s> [CLS] [PAD] <|endoftext|> bomb? " * 4


@pytest.fixture(scope="module", params=checkpoints.TOKENIZERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with torch weights and the ONNX graph of the same."""
    return checkpoints.export(checkpoints.save(tmp_path_factory.mktemp(request.param), request.param))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.export(checkpoints.save(tmp_path_factory.mktemp("bert")))


def test_both_back_ends_read_the_same_windows_and_agree(folder: Path) -> None:
    onnx, torch = OnnxModel.load(folder / "model.onnx", folder), TransformersModel.load(str(folder))
    assert onnx.config == torch.config
    for text in (ATTACK, "hello", "a" * 300, "é\ud800 \x00 bomb"):
        windows = onnx.tokens.windows(text, 32, 4)
        assert windows == torch.tokens.windows(text, 32, 4)
        assert onnx.logits(windows) == pytest.approx(torch.logits(windows), abs=1e-3)
    assert np.ptp(onnx.logits(onnx.tokens.windows(ATTACK, 32, 4)), axis=0).min() > 0.01


def test_no_control_token_gets_into_a_text_by_either_back_end(folder: Path) -> None:
    for model in (OnnxModel.load(folder / "model.onnx", folder), TransformersModel.load(str(folder))):
        around = set(model.tokens.nothing.ids) | {0, 1, 2, 3}
        unknown = {1} if "wordpiece" in folder.name else {3}
        for window in model.tokens.windows(ATTACK, 32, 4):
            assert not (around - unknown) & set(window.ids[1:-1])


def test_a_policy_reads_a_local_folder_through_onnx(bert: Path) -> None:
    metric = make("injection", {"kind": "classifier", "model": bert.name, "positive": "attack"}, bert.parent)
    assert metric.warm_up
    metric.warm_up()
    assert isinstance(find(bert.name, bert.parent).load("cpu", 1), OnnxModel)
    measured = metric.measure(Turn.of(ATTACK), "input")
    assert isinstance(measured, Score)
    assert isinstance(measured.value, float)
    assert 0 < measured.value < 1


def test_two_metrics_share_one_loaded_model(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    load = OnnxModel.load

    def counted(graph: Path, folder: Path, threads: int = 1) -> OnnxModel:
        loads.append(graph)
        return load(graph, folder, threads)

    monkeypatch.setattr(OnnxModel, "load", counted)
    shutil.copytree(bert, bert.parent / "shared", dirs_exist_ok=True)
    fields = {"kind": "classifier", "model": "shared"}
    metrics = [
        make("one", fields | {"positive": "attack"}, bert.parent),
        make("two", fields | {"gives": "labels"}, bert.parent),
    ]
    for metric in metrics:
        assert metric.warm_up
        metric.warm_up()
    assert loads == [bert.parent / "shared" / "model.onnx"]


def test_threads_get_the_answers_they_would_get_alone(bert: Path) -> None:
    model = OnnxModel.load(bert / "model.onnx", bert)
    windows = model.tokens.windows(ATTACK, 32, 4)
    alone = [model.logits([window]) for window in windows]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda number: model.logits([windows[number % len(windows)]]), range(64)))
    for number, answer in enumerate(together):
        assert answer == pytest.approx(alone[number % len(windows)])


def test_a_graph_that_is_none_is_refused(bert: Path, tmp_path: Path) -> None:
    shutil.copytree(bert, tmp_path / "m")
    (tmp_path / "m" / "model.onnx").write_bytes(b"no graph")
    metric = make("m", {"kind": "classifier", "model": "m", "positive": "attack"}, tmp_path)
    assert metric.warm_up
    with pytest.raises(MetricError, match="cannot be loaded"):
        metric.warm_up()


def test_a_config_with_the_wrong_number_of_labels_is_refused_when_loaded(bert: Path, tmp_path: Path) -> None:
    shutil.copytree(bert, tmp_path / "m")
    config = json.loads((bert / "config.json").read_text())
    config["id2label"] = {"0": "safe", "1": "attack", "2": "other"}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    metric = make("m", {"kind": "classifier", "model": "m", "positive": "attack"}, tmp_path)
    assert metric.warm_up
    with pytest.raises(MetricError, match="config names 3 labels"):
        metric.warm_up()
