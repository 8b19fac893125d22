"""An ONNX graph on the CPU. The only file that imports onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Semaphore
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
class Graph:
    """A graph ready to run. Safe to share among threads."""

    session: InferenceSession
    #: Each run keeps a core busy, and holds memory of its own: more at once than there are cores end no sooner.
    _turns: Semaphore = field(default_factory=lambda: Semaphore(cores()))

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Graph:
        """The graph of a file. Raises MetricError where it cannot run."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads wait busily between calls and take the CPU from the event loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            # By its path: a session holds on to bytes that it is given.
            return cls(onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
        except Exception as error:
            raise MetricError(f"the ONNX model {path} cannot be loaded: {error}") from error

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The names of what it asks for, with their types in onnxruntime's words."""
        return {node.name: node.type for node in self.session.get_inputs()}

    @cached_property
    def outputs(self) -> list[str]:
        """The names of what it answers."""
        return [node.name for node in self.session.get_outputs()]

    def run(self, outputs: Sequence[str], values: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs of these names, in that order."""
        with self._turns:
            return [np.asarray(found) for found in self.session.run(outputs, values)]


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A checkpoint exported to ONNX, with its `tokenizer.json` and `config.json`. Safe to share among threads."""

    tokens: Tokens
    config: Config
    graph: Graph

    @classmethod
    def load(cls, graph: Path, folder: Path, threads: int = 1) -> OnnxModel:
        """The graph, with the tokenizer and the config of `folder`. Raises MetricError where they cannot be used."""
        loaded = Graph.load(graph, threads)
        try:
            tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise MetricError(f"the tokenizer of {graph} cannot be read: {error}") from error
        unknown = loaded.inputs.keys() - INPUTS
        if unknown:
            raise MetricError(
                f"{graph} asks for {', '.join(sorted(unknown))}; export it for text or token classification"
            )
        return cls(Tokens(tokenizer), read_config(folder), loaded)

    def logits(self, windows: Sequence[Window]) -> NDArray[np.float64]:
        """The first output, windows by labels. One at a time: on a CPU a batch gains nothing, and padding costs."""
        return np.concatenate([self._run(window) for window in windows]).astype(np.float64)

    def token_logits(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """The first output, for each window its tokens by labels."""
        return [self._run(window)[0].astype(np.float32, copy=False) for window in windows]

    def _run(self, window: Window) -> NDArray[Any]:
        values = {"input_ids": window.ids, "token_type_ids": window.types, "attention_mask": [1] * len(window.ids)}
        feed = {name: np.array([values[name]], INTEGERS[kind]) for name, kind in self.graph.inputs.items()}
        return self.graph.run(self.graph.outputs[:1], feed)[0]


def cores() -> int:
    """The cores that this process may use; not every system can keep one from some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
