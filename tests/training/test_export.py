"""A network as int8: the same inputs, outputs and answers, in a quarter of the space."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession
from torch import nn
from transformers import BertConfig, BertModel

from guard.errors import SettingsError
from guard.metrics.encoder.pair import TYPES
from guard.training.drift import drift
from guard.training.encode import Window
from guard.training.even import Evened, even
from guard.training.export import export
from guard.training.graph import feed
from guard.training.network import Network
from guard.training.weights import take_over

pytestmark = pytest.mark.slow

LABELS = ("columns", "tokens", "embedding")
COLUMNS = [0, 0, 0, 1, 1, 2]


def window(chance: np.random.Generator, length: int) -> Window:
    return Window(chance.integers(5, 500, length), chance.integers(0, TYPES, length))


def windows(seed: int, count: int) -> list[Window]:
    chance = np.random.default_rng(seed)
    return [window(chance, int(chance.integers(3, 40))) for _ in range(count)]


@pytest.fixture(scope="module")
def network() -> Network:
    """Tiny, and with one channel that is far larger than the others, as trained encoders have."""
    torch.manual_seed(1)
    size = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 128}
    config = BertConfig(
        vocab_size=500, type_vocab_size=TYPES, max_position_embeddings=64, initializer_range=0.2, **size
    )
    made = Network(BertModel(config, add_pooling_layer=False), COLUMNS, 7).eval()
    for layer in made.encoder.encoder.layer:
        normalisation = cast("nn.LayerNorm", layer.get_submodule("attention.output.LayerNorm"))
        normalisation.weight.data[5], normalisation.bias.data[5] = 30, 20
    for name, weights in made.named_parameters():
        if name.endswith("bias") or "LayerNorm" in name:
            weights.data += 0.01 * torch.randn_like(weights)  # as trained: none is the same as another
    return made


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tokenizer = folder / "given.json"
    tokenizer.write_text('{"version": "1.0"}')
    out = folder / "out"
    found = export(network, {"name": "tiny", "columns": ["a"]}, tokenizer, out, windows(1, 40), windows(2, 20))
    return out, found


@pytest.fixture(scope="module")
def session(exported):
    return InferenceSession(exported[0] / "model.onnx", providers=["CPUExecutionProvider"])


def test_the_graph_has_the_names_and_types_that_the_run_time_asks_for(session):
    inputs = {each.name: (each.type, each.shape) for each in session.get_inputs()}
    assert inputs == dict.fromkeys(
        ("input_ids", "token_type_ids", "attention_mask"), ("tensor(int64)", ["batch", "length"])
    )
    outputs = {each.name: (each.type, each.shape) for each in session.get_outputs()}
    assert outputs["columns"] == ("tensor(float)", ["batch", len(COLUMNS)])
    assert outputs["tokens"] == ("tensor(float)", ["batch", "length", 7])
    assert outputs["embedding"] == ("tensor(float)", ["batch", 128])


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 64), (3, 9)])
def test_any_batch_and_length_are_read(session, batch, length):
    ids = np.full((batch, length), 7, np.int64)
    given = {"input_ids": ids, "token_type_ids": np.zeros_like(ids), "attention_mask": np.ones_like(ids)}
    columns, tokens, embedding = session.run(LABELS, given)
    assert (columns.shape, tokens.shape) == ((batch, len(COLUMNS)), (batch, length, 7))
    assert np.isfinite(embedding).all()


def test_a_window_scores_the_same_alone_again_and_beside_another(session):
    short, long = window(np.random.default_rng(3), 6), window(np.random.default_rng(4), 30)
    alone, again = (session.run(LABELS, feed(short)) for _ in range(2))
    assert all((one == other).all() for one, other in zip(alone, again, strict=True))
    ids, types, mask = (np.zeros((2, 30), np.int64) for _ in range(3))
    for row, each in enumerate((short, long)):
        ids[row, : len(each.ids)], types[row, : len(each.ids)], mask[row, : len(each.ids)] = each.ids, each.types, 1
    together = session.run(LABELS, {"input_ids": ids, "token_type_ids": types, "attention_mask": mask})
    assert together[0][0] == pytest.approx(alone[0][0], abs=1e-4)
    assert together[2][0] == pytest.approx(alone[2][0], abs=1e-4)


def test_int8_says_what_the_network_says(exported):
    _, found = exported
    assert found.windows == 20
    assert found.decisions == 20 * len(COLUMNS)
    assert found.embedding > 0.99
    assert found.columns_worst < 0.05
    assert found.flipped < found.decisions / 4  # of columns that were never trained, whose odds are all but even


def test_the_drift_of_another_network_is_seen(exported, network):
    folder, found = exported
    torch.manual_seed(2)
    other = Network(BertModel(network.encoder.config, add_pooling_layer=False), COLUMNS, 7).eval()
    apart = drift(other, folder / "model.onnx", windows(2, 20))
    assert apart.embedding < 0.9
    assert apart.flipped > found.flipped
    assert replace(apart, windows=0) != replace(found, windows=0)


def test_evening_out_changes_nothing_but_what_rounding_does(network):
    given = windows(5, 4)
    copied = Network(BertModel(network.encoder.config, add_pooling_layer=False), COLUMNS, 7).eval()
    copied.load_state_dict(network.state_dict())
    even(copied, given)
    evened = [module for module in copied.modules() if isinstance(module, Evened)]
    assert len(evened) == 4 * 5
    assert any((module.inverse < 0.5).any() for module in evened), "the large channel was not brought down"
    with torch.inference_mode():
        for each in given:
            numbers = [torch.from_numpy(number) for number in feed(each).values()]
            torch.testing.assert_close(copied(*numbers), network(*numbers), atol=1e-3, rtol=1e-3)


def test_weights_are_bytes(exported, network):
    size = (exported[0] / "model.onnx").stat().st_size
    encoder = sum(weights.numel() for weights in network.encoder.parameters())
    others = sum(weights.numel() for weights in network.parameters()) - encoder
    assert size < 1.3 * encoder + 4 * others + 150_000


def test_the_graph_does_not_say_on_which_machine_it_was_made(exported):
    assert b".py" not in (exported[0] / "model.onnx").read_bytes()


def test_the_facts_carry_the_hashes_of_the_files_beside_them(exported):
    folder, _ = exported
    facts = json.loads((folder / "model.json").read_text())
    assert (facts["name"], facts["columns"]) == ("tiny", ["a"])
    assert facts["sha256"] == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")
    }


def test_a_model_that_is_too_large_is_refused_and_leaves_no_facts(network, tmp_path):
    tokenizer = tmp_path / "given.json"
    tokenizer.write_text("{}")
    (tmp_path / "model.json").write_text("of an earlier model")
    with pytest.raises(SettingsError, match="at most"):
        export(network, {}, tokenizer, tmp_path, windows(1, 3), windows(2, 1), largest=1000)
    assert not (tmp_path / "model.json").exists()


def test_training_goes_on_from_a_graph_as_if_it_had_not_been_rounded(network, exported):
    file = exported[0] / "model.onnx"
    fresh = Network(BertModel(network.encoder.config, add_pooling_layer=False), COLUMNS, 7).eval()
    # The word table is that of the encoder that both started from.
    fresh.encoder.embeddings.word_embeddings.load_state_dict(network.encoder.embeddings.word_embeddings.state_dict())
    take_over(fresh, file, hashlib.sha256(file.read_bytes()).hexdigest())
    for name, weights in network.named_parameters():
        found = fresh.get_parameter(name)
        assert (found - weights).abs().mean() <= weights.abs().mean() / 10, name


def test_training_goes_on_from_no_other_model_than_the_spec_names(network, exported, tmp_path):
    for file in (exported[0] / "model.onnx", tmp_path / "absent.onnx"):
        with pytest.raises(SettingsError, match="is not the model that the spec goes on from"):
            take_over(network, file, "0" * 64)
