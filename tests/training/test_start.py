"""What training starts from is the very encoder that the spec names."""

from __future__ import annotations

import pytest
import torch

from guard.errors import SettingsError
from guard.training.start import folder_of, starting, tokens_of
from tests.training import tiny

pytestmark = pytest.mark.slow


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    return tiny.spec(encoder={"files": tiny.package(tmp_path)})


def test_the_installed_package_gives_the_folder(spec, tmp_path):
    assert folder_of(spec.encoder) == tmp_path / "tiny_start" / "model"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_files_of_another_hash_are_refused(spec, tmp_path, name):
    with (tmp_path / "tiny_start" / "model" / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(SettingsError, match=f"{name} is not the file that the spec names; install tiny-start==1 anew"):
        folder_of(spec.encoder)


def test_a_file_that_is_missing_is_refused(spec, tmp_path):
    (tmp_path / "tiny_start" / "model" / "tokenizer.json").unlink()
    with pytest.raises(SettingsError, match=r"tokenizer\.json is not the file"):
        folder_of(spec.encoder)


def test_a_package_that_is_missing_is_told_with_how_to_install_it():
    encoder = tiny.spec().encoder.model_copy(update={"folder": "tiny_absent/model"})
    with pytest.raises(SettingsError, match=r"pip install --no-deps --require-hashes .*tiny-start==1 --hash=sha256:"):
        folder_of(encoder)


def test_the_network_starts_with_the_encoders_weights_and_the_same_heads_each_time(spec):
    folder = folder_of(spec.encoder)
    one, other = (starting(spec, folder, 7) for _ in range(2))
    assert all(torch.equal(one.state_dict()[name], value) for name, value in other.state_dict().items())
    assert torch.equal(one.encoder.embeddings.word_embeddings.weight, tiny.bert().embeddings.word_embeddings.weight)
    assert one.heads.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [4]
    assert one.tokens.out_features == 7
    assert one.encoder.config.hidden_dropout_prob == spec.optimiser.dropout


def test_its_tokenizer_is_that_of_the_package(spec):
    tokens = tokens_of(folder_of(spec.encoder))
    assert tokens.pieces("the cat", 9).ids.tolist() == tiny.tokens().pieces("the cat", 9).ids.tolist()
