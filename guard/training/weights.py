"""The weights of a model that was shipped, as a start for the next one: its graph holds them, rounded to int8."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from guard.errors import SettingsError
from guard.training.network import Network, widened

#: The products of a layer in the order in which the graph multiplies, and whose channels were evened out with which.
_PRODUCTS = {
    "attention.self.query": "attention.self.value",
    "attention.self.key": "attention.self.value",
    "attention.self.value": "attention.self.value",
    "attention.output.dense": "",
    "intermediate.dense": "intermediate.dense",
    "output.dense": "output.dense",
}


def take_over(network: Network, file: Path, sha256: str) -> None:
    """Put the weights of a graph that `guard.training.graph` wrote into a network of the same heads.

    The word table stays as it is: it is the encoder's own, which training never changes. Raises SettingsError where the
    file is missing or another one.
    """
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
        raise SettingsError(
            f"{file} is not the model that the spec goes on from (continues.sha256); give it with --start"
        )
    graph = onnx.load(file).graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    state = {name: known[name] for name, _ in network.named_parameters() if name in known}
    state |= {_plain(name): values for name, values in known.items() if name.endswith(".linear.bias")}
    state["queries"] = _operand(graph, known, network.queries.shape[::-1]).T
    state["tokens.weight"] = _operand(graph, known, network.tokens.weight.shape[::-1]).T
    products = iter(_products(graph, known))
    for number in range(network.encoder.config.num_hidden_layers):
        for name, evened in _PRODUCTS.items():
            layer = f"encoder.encoder.layer.{number}."
            inverse = known.get(f"{layer}{evened}.inverse", np.float32(1))
            # Dividing a channel and multiplying its weights is undone here: nothing needs evening while training.
            state[f"{layer}{name}.weight"] = (next(products) * np.expand_dims(inverse, -1)).T
    tensors: dict[str, Tensor] = {name: torch.tensor(np.array(values)) for name, values in state.items()}
    types = "encoder.embeddings.token_type_embeddings.weight"
    tensors[types] = widened(tensors[types])
    kept = {"encoder.embeddings.word_embeddings.weight"}
    missing = {name for name, _ in network.named_parameters()} - tensors.keys() - kept
    if missing:
        raise SettingsError(f"{file} has no {min(missing)}: it is of another shape than the spec's network")
    network.load_state_dict(tensors, strict=False)


def _plain(name: str) -> str:
    return name.replace(".linear.", ".")


def _products(graph: onnx.GraphProto, known: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """The int8 matrices as floating point, in the order in which they are multiplied: inputs by outputs."""
    makers = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    found = []
    for node in graph.node:
        maker = makers.get(node.input[1]) if node.op_type == "MatMul" else None
        if maker is not None and known.get(maker.input[0], np.zeros(0)).ndim == 2:
            rounded, scale = known[maker.input[0]], known[maker.input[1]]
            found.append(rounded.astype(np.float32) * scale)
    return found


def _operand(
    graph: onnx.GraphProto, known: dict[str, NDArray[np.float32]], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The constant of this shape that something is multiplied with."""
    names = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
    return next(known[name] for name in sorted(names & known.keys()) if known[name].shape == tuple(shape))
