"""The tiny encoder with an embedding that knows words: the mean of a vector a token, drawn once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.metrics.encoder import tiny

WIDTH = 24


def write(folder: Path, seed: int = 0) -> Path:
    tiny.write(folder)
    file = folder / "model.onnx"
    model = onnx.load(str(file))
    graph = model.graph
    kept = [node for node in graph.node if "embedding" not in node.output]
    size = next(len(one.float_data) or one.dims[0] for one in graph.initializer if one.name == "words")
    vectors = np.random.default_rng(seed).normal(size=(size, WIDTH)).astype(np.float32)
    kept += [
        helper.make_node("Gather", ["vectors", "input_ids"], ["vector_of"]),
        helper.make_node("ReduceMean", ["vector_of"], ["embedding"], axes=[1], keepdims=0),
    ]
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.append(numpy_helper.from_array(vectors, "vectors"))
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    facts = json.loads((folder / "model.json").read_text())
    facts["sha256"]["model.onnx"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(facts))
    return folder
