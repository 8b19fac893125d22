"""A checkpoint that classifies: where it lies, what its own files say, and the model, loaded once a process."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.metrics.fingerprint import fingerprint
from guard.metrics.tokens import Tokens, Window

#: What a checkpoint was trained to label, in the hub's words: a text, or each of its tokens.
Task: TypeAlias = Literal["text-classification", "token-classification"]

#: Where exporters put the graph, in the order tried.
GRAPHS = ("model.onnx", "model_quantized.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx")
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?", re.ASCII)
#: Tokenizers without a limit say 10^30.
_NO_LIMIT = 10**9


class Model(Protocol):
    """A loaded checkpoint."""

    @property
    def tokens(self) -> Tokens:
        """Its tokenizer."""
        ...

    @property
    def config(self) -> Config:
        """What it says of itself."""
        ...

    def logits(self, windows: Sequence[Window]) -> NDArray[np.float64]:
        """The raw answers about whole windows, windows by labels."""
        ...

    def token_logits(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """The raw answers about tokens: for each window its tokens, the special ones included, by labels."""
        ...


@dataclass(frozen=True, slots=True)
class Config:
    """What a checkpoint says of itself: its labels in the order of its answers, how many tokens it reads at once
    (special ones included; None: it does not say), and what problem it was trained on, in transformers' words.
    """

    labels: tuple[str, ...]
    longest: int | None
    problem: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any], longest: float | None) -> Config:
        """From the content of `config.json` and the tokenizer's `model_max_length`."""
        names = config.get("id2label")
        # As transformers has it, which leaves the names out where they are the default.
        count = len(names) if names else config.get("num_labels", 2)
        labels = tuple(str(names[key]) for key in sorted(names, key=int)) if names else _unnamed(count)
        places = config.get("max_position_embeddings") or config.get("n_positions")
        if longest is None or longest > _NO_LIMIT:
            # RoBERTa's kind counts places from the padding token on; one token less does the others no harm.
            longest = places - (config.get("pad_token_id") or 0) - 1 if places else None
        return cls(labels, None if longest is None else int(longest), config.get("problem_type"))


def _unnamed(count: int) -> tuple[str, ...]:
    return tuple(f"LABEL_{number}" for number in range(count))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a checkpoint lies: an ONNX `graph` within a `folder`, a `folder` of transformers' own, or on the hub.

    There it is known by its `name`, at a `revision`, and `graph` is the path of the file in it.
    """

    name: str
    folder: Path | None = None
    graph: Path | None = None
    revision: str | None = None
    task: Task = "text-classification"

    @property
    def version(self) -> str:
        """Changes when the model does: a hash of its files, or the hub's `id@revision`."""
        if self.folder is None:
            name = f"{self.name}/{self.graph.as_posix()}" if self.graph else self.name
            return f"{name}@{self.revision or 'main'}"
        files = set(self.folder.glob("*.json"))
        if self.graph:
            files |= set(self.graph.parent.glob(f"{self.graph.name}*"))
        else:
            files |= {path for path in self.folder.iterdir() if path.is_file()}
        stats = ((path, path.stat()) for path in sorted(files))
        parts = [f"{path.name} {_digest(path, stat.st_size, stat.st_mtime_ns)}" for path, stat in stats]
        return fingerprint(*parts)

    def config(self) -> Config | None:
        """What the checkpoint says of itself; None while it is not on this machine. Raises MetricError."""
        return None if self.folder is None else read_config(self.folder)

    def load(self, device: str, threads: int) -> Model:
        """The model, the same one for everybody in this process while somebody holds it. Raises MetricError."""
        key = (self, self.version, device, threads)
        with _loading:
            model = _loaded.get(key)
            if model is None:
                model = self._load(device, threads)
                _loaded[key] = model
        return model

    def _load(self, device: str, threads: int) -> Model:
        if self.graph:
            from guard.metrics.hub import fetched
            from guard.metrics.onnx_model import OnnxModel

            folder = self.folder or fetched(self.name, self.graph, self.revision)
            return OnnxModel.load(folder / self.graph, folder, threads)
        from guard.metrics.transformers_model import TransformersModel

        return TransformersModel.load(str(self.folder or self.name), self.revision, device, threads, self.task)


_loading = threading.Lock()
_loaded: WeakValueDictionary[tuple[Source, str, str, int], Model] = WeakValueDictionary()


def find(
    model: str,
    beside: Path,
    *,
    graph: str | None = None,
    revision: str | None = None,
    device: str = "cpu",
    task: Task = "text-classification",
) -> Source:
    """The source that `model` names: a folder, a `.onnx` file in one (both also relative to `beside`), or a hub id.

    Of a folder or an id, `graph` is the ONNX file in it to run. Without, one is taken where a folder has one, as it is
    the faster on a CPU; on another device, and of an id, the torch weights. Raises MetricError where a path leads
    nowhere.
    """
    path = beside / Path(model).expanduser()
    if path.suffix == ".onnx" and path.is_file() and graph is None:
        return Source(model, _folder_of(path), path, task=task)
    if path.is_dir():
        if graph and not (path / graph).is_file():
            raise MetricError(f"there is no {path / graph}; give the path of an ONNX file in that folder")
        graphs = (graph,) if graph else GRAPHS if device == "cpu" else ()
        found = next((path / name for name in graphs if (path / name).is_file()), None)
        return Source(model, path, found, task=task)
    if not _HUB_ID.fullmatch(model):
        raise MetricError(
            f"there is no model folder {path}; give a folder that exists, or a Hugging Face id (org/name)"
        )
    return Source(model, graph=Path(graph) if graph else None, revision=revision, task=task)


def _folder_of(graph: Path) -> Path:
    for folder in (graph.parent, graph.parent.parent):
        if (folder / "tokenizer.json").is_file():
            return folder
    raise MetricError(f"no tokenizer.json beside {graph} nor a folder above; copy the checkpoint's there")


def read_config(folder: Path) -> Config:
    """What the checkpoint in a folder says of itself. Raises MetricError."""
    tokenizer = folder / "tokenizer_config.json"
    longest = _json(tokenizer).get("model_max_length") if tokenizer.exists() else None
    return Config.of(_json(folder / "config.json"), longest)


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MetricError(f"{path} cannot be read ({error}); copy the checkpoint's own file there") from error


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, modified: int) -> str:
    # Hundreds of megabytes, at every reload of a policy: `size` and `modified` say whether to read them again.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
