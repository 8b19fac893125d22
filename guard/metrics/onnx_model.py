"""An ONNX graph on the CPU. The only file that imports onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.metrics.checkpoint import Config, read_config
from guard.metrics.tokens import Tokens, Window

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
#: What a graph may ask for, under the names that exporters use.
INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A checkpoint exported to ONNX, with its `tokenizer.json` and `config.json`. Safe to share among threads."""

    tokens: Tokens
    config: Config
    session: InferenceSession

    @classmethod
    def load(cls, graph: Path, folder: Path, threads: int = 1) -> OnnxModel:
        """The graph, with the tokenizer and the config of `folder`. Raises MetricError where they cannot be used."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MetricError(f"{graph} needs onnxruntime ({error}); pip install 'stageguard[onnx]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads wait busily between calls and take the CPU from the event loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
        except Exception as error:
            raise MetricError(f"the ONNX model {graph} cannot be loaded: {error}") from error
        unknown = {node.name for node in session.get_inputs()} - INPUTS
        if unknown:
            raise MetricError(f"{graph} asks for {', '.join(sorted(unknown))}; export it for text-classification")
        return cls(Tokens(tokenizer), read_config(folder), session)

    def logits(self, windows: Sequence[Window]) -> NDArray[np.float64]:
        """The first output, windows by labels. One at a time: on a CPU a batch gains nothing, and padding costs."""
        return np.concatenate([self._run(window) for window in windows]).astype(np.float64)

    def _run(self, window: Window) -> NDArray[Any]:
        values = {"input_ids": window.ids, "token_type_ids": window.types, "attention_mask": [1] * len(window.ids)}
        feed = {
            node.name: np.array([values[node.name]], dtype=INTEGERS[node.type]) for node in self.session.get_inputs()
        }
        return np.asarray(self.session.run(None, feed)[0])
