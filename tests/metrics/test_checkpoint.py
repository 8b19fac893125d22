"""Where a checkpoint lies, and what its own files say."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from guard.errors import MetricError
from guard.metrics import checkpoint
from guard.metrics.checkpoint import Config, Source, find, read_config


class Loaded:
    """Stands for a loaded model."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "toxic" / "onnx").mkdir(parents=True)
    (tmp_path / "toxic" / "config.json").write_text('{"id2label": {"0": "ok", "1": "toxic"}}')
    (tmp_path / "toxic" / "tokenizer.json").write_text("{}")
    return tmp_path


def test_a_relative_folder_lies_beside_the_policy(folder: Path) -> None:
    assert find("toxic", folder) == Source("toxic", folder / "toxic")


def test_an_absolute_folder_stays_where_it_is(folder: Path, tmp_path: Path) -> None:
    assert find(str(folder / "toxic"), tmp_path / "elsewhere").folder == folder / "toxic"


def test_a_graph_is_preferred_on_a_cpu_and_torch_weights_elsewhere(folder: Path) -> None:
    graph = folder / "toxic" / "onnx" / "model.onnx"
    graph.touch()
    assert find("toxic", folder).graph == graph
    assert find("toxic", folder, device="cuda").graph is None
    (folder / "toxic" / "model.onnx").touch()
    assert find("toxic", folder).graph == folder / "toxic" / "model.onnx"


def test_one_graph_of_several_can_be_named(folder: Path) -> None:
    graph = folder / "toxic" / "onnx" / "model_int8.onnx"
    graph.touch()
    assert find("toxic/onnx/model_int8.onnx", folder) == Source("toxic/onnx/model_int8.onnx", folder / "toxic", graph)


def test_a_graph_is_picked_by_its_path_in_a_folder(folder: Path) -> None:
    graph = folder / "toxic" / "onnx" / "model_int8.onnx"
    graph.touch()
    (folder / "toxic" / "model.onnx").touch()
    assert find("toxic", folder, graph="onnx/model_int8.onnx", device="cuda").graph == graph
    with pytest.raises(MetricError, match=r"there is no .*other\.onnx"):
        find("toxic", folder, graph="other.onnx")


def test_a_graph_on_the_hub_has_its_path_in_the_version(tmp_path: Path) -> None:
    source = find("org/toxic", tmp_path, graph="onnx/model.onnx", revision="abc")
    assert source == Source("org/toxic", graph=Path("onnx/model.onnx"), revision="abc")
    assert source.version == "org/toxic/onnx/model.onnx@abc"


def test_a_graph_without_its_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with pytest.raises(MetricError, match=r"no tokenizer\.json beside"):
        find("model.onnx", tmp_path)


@pytest.mark.parametrize("name", ["org/toxic-model", "toxic-bert", "org/model.v2_x"])
def test_what_is_no_folder_but_looks_like_an_id_is_on_the_hub(name: str, tmp_path: Path) -> None:
    source = find(name, tmp_path, revision="abc")
    assert source == Source(name, revision="abc")
    assert source.config() is None
    assert source.version == f"{name}@abc"


@pytest.mark.parametrize(
    "name", ["./toxic", "/no/such/folder", "../models/toxic", "a/b/c", "~/nowhere-at-all", "mödel"]
)
def test_a_path_that_leads_nowhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="give a folder that exists, or a Hugging Face id"):
        find(name, tmp_path)


def test_the_version_follows_the_files(folder: Path) -> None:
    source = find("toxic", folder)
    before = source.version
    assert source.version == before
    config = folder / "toxic" / "config.json"
    config.write_text(config.read_text().replace("ok", "no"))
    os.utime(config, ns=(1, 1))
    assert source.version != before


def test_the_version_follows_weights_beside_the_graph(folder: Path) -> None:
    (folder / "toxic" / "model.onnx").touch()
    before = find("toxic", folder).version
    (folder / "toxic" / "model.onnx_data").write_text("weights")
    assert find("toxic", folder).version != before


def test_labels_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    labels = {str(number): f"l{number}" for number in reversed(range(12))}
    assert Config.of({"id2label": labels}, 512).labels == tuple(f"l{number}" for number in range(12))


def test_default_label_names_are_those_of_transformers() -> None:
    assert Config.of({}, 512).labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("config", "declared", "longest"),
    [
        ({"max_position_embeddings": 514, "pad_token_id": 1}, 512, 512),
        ({"max_position_embeddings": 514, "pad_token_id": 1}, 10**30, 512),
        ({"max_position_embeddings": 512, "pad_token_id": 0}, None, 511),
        ({}, 256.0, 256),
        ({}, None, None),
    ],
)
def test_a_model_is_not_given_more_tokens_than_it_has_places(
    config: dict[str, int], declared: float | None, longest: int | None
) -> None:
    assert Config.of(config, declared).longest == longest


def test_a_config_that_is_missing_or_broken_names_the_file(folder: Path) -> None:
    (folder / "toxic" / "tokenizer_config.json").write_text("{")
    with pytest.raises(MetricError, match=r"tokenizer_config\.json cannot be read"):
        read_config(folder / "toxic")
    with pytest.raises(MetricError, match=r"config\.json cannot be read"):
        read_config(folder)


def test_a_model_is_loaded_once_for_everybody_and_freed_after(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Source] = []

    def load(source: Source, device: str, threads: int) -> Any:
        loads.append(source)
        Event().wait(0.05)  # long enough for the others to come
        return Loaded()

    monkeypatch.setattr(Source, "_load", load)
    held: list[Any] = []
    readers = [Thread(target=lambda: held.append(find("toxic", folder).load("cpu", 1))) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(loads) == 1
    assert all(model is held[0] for model in held)
    assert find("toxic", folder).load("cpu", 2) is not held[0]
    held.clear()
    gc.collect()
    find("toxic", folder).load("cpu", 1)
    assert len(loads) == 3


def test_a_changed_model_is_loaded_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "_load", lambda source, device, threads: Loaded())
    before = find("toxic", folder).load("cpu", 1)
    (folder / "toxic" / "config.json").write_text(json.dumps({"id2label": {"0": "other"}}))
    assert find("toxic", folder).load("cpu", 1) is not before
    assert checkpoint.read_config(folder / "toxic").labels == ("other",)
