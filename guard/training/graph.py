"""The network as an ONNX graph. The only file that imports onnx and what makes int8 of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from torch import Tensor, nn

from guard.metrics.encoder.model import INPUTS, OUTPUTS
from guard.training.encode import Window
from guard.training.even import even
from guard.training.network import Network

#: The first with Gelu and LayerNormalization as operators, which later ones do not improve on.
_OPSET = 20


class _Table(nn.Module):
    """An embedding table of bytes, with a scale for each row. One scale for all rounds six times as coarsely."""

    rows: Tensor
    scales: Tensor

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        scales = table.weight.data.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
        self.register_buffer("rows", (table.weight.data / scales).round().to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self, ids: Tensor) -> Tensor:
        """Rows of the table."""
        return nn.functional.embedding(ids, self.rows).float() * nn.functional.embedding(ids, self.scales)


class _Reader(CalibrationDataReader):
    def __init__(self, windows: Sequence[Window]) -> None:
        self._feeds = iter([feed(window) for window in windows])

    def get_next(self) -> Any:
        """The next window as inputs, None behind the last."""
        return next(self._feeds, None)


def feed(window: Window) -> dict[str, NDArray[np.int64]]:
    """A window as the graph's inputs, a batch of one."""
    return dict(zip(INPUTS, (window.ids[None], window.types[None], np.ones_like(window.ids)[None]), strict=True))


def write_int8(network: Network, windows: Sequence[Window], file: Path) -> None:
    """The graph with int8 weights by column and static scales for what they are multiplied with, set by `windows`.

    Position and type tables, pooling and heads stay in floating point: they take no time, and rounding the first two
    alone would do two thirds of the harm of all that is rounded.
    """
    network = copy.deepcopy(network).eval().float()
    network.encoder.set_attn_implementation("eager")
    even(network, windows)
    network.encoder.embeddings.word_embeddings = _Table(network.encoder.embeddings.word_embeddings)  # type: ignore[assignment]
    graph = graph_of(network)
    quantize_static(
        graph,
        file,
        _Reader(windows),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        nodes_to_quantize=list(_products(graph, network)),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )


def graph_of(network: Network) -> onnx.ModelProto:
    """The graph in floating point: any batch and length."""
    batch, length = (
        torch.export.Dim("batch"),
        torch.export.Dim("length", max=network.encoder.config.max_position_embeddings),
    )
    # Neither may be 1 here: the exporter would take it for a constant.
    ids = torch.ones(2, 8, dtype=torch.long)
    program: Any = torch.onnx.export(
        network,
        (ids, torch.zeros_like(ids), torch.ones_like(ids)),
        dynamo=True,
        opset_version=_OPSET,
        input_names=list(INPUTS),
        dynamic_shapes=({0: batch, 1: length},) * len(INPUTS),
        verbose=False,
    )
    # The exporter's own names may be those of the outputs ("embedding" is one), which makes the graph invalid.
    values = [value for node in program.model.graph for value in node.outputs]
    for at, value in enumerate(values):
        value.name = f"value_{at}"
    for value, name in zip(program.model.graph.outputs, OUTPUTS, strict=True):
        value.name = name
    graph = program.model_proto
    _forget_where_it_was_made(graph)
    _keep_sums_apart(graph)
    return graph


def _forget_where_it_was_made(graph: onnx.ModelProto) -> None:
    """Takes out the exporter's stack traces, which name the maker's folders and take half a megabyte."""
    graph.ClearField("metadata_props")
    for part in (graph.graph, *graph.graph.node, *graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _keep_sums_apart(graph: onnx.ModelProto) -> None:
    """Writes a residual `Add` as a `Sum`, which the runtime does not fuse with the normalisation behind it.

    On CPUs the fused kernel takes five times what both take alone: a fifth of the whole (onnxruntime 1.31).
    """
    normalised = {node.input[0] for node in graph.graph.node if node.op_type == "LayerNormalization"}
    for node in graph.graph.node:
        if node.op_type == "Add" and node.output[0] in normalised:
            node.op_type = "Sum"


def _products(graph: onnx.ModelProto, network: Network) -> Iterator[str]:
    """The names of the encoder's own products: those with its sizes."""
    config = network.encoder.config
    wide = {(config.hidden_size,) * 2, (config.hidden_size, config.intermediate_size)}
    sizes = {tensor.name: tuple(sorted(tensor.dims)) for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "MatMul" and sizes.get(node.input[1]) in wide:
            yield node.name
