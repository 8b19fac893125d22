"""ONNX graphs on the Hugging Face hub. The only file that imports huggingface_hub."""

from __future__ import annotations

from pathlib import Path

from guard.errors import MetricError

#: What to do where a model cannot be fetched.
FETCH = (
    "give a local folder, or let it be fetched: check its name, set HF_HUB_OFFLINE=0, and HF_TOKEN where it is gated"
)


def fetched(name: str, graph: Path, revision: str | None = None) -> Path:
    """The folder of the hub's cache with an ONNX graph and the files that belong to it. Raises MetricError."""
    from huggingface_hub import snapshot_download

    files = ["config.json", "tokenizer.json", "tokenizer_config.json", f"{graph.as_posix()}*"]
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=files))
    except Exception as error:
        raise MetricError(f"the model '{name}' cannot be fetched: {error}; {FETCH}") from error
    if not (folder / graph).is_file():
        raise MetricError(f"the model '{name}' has no {graph.as_posix()}; see which .onnx file it has, or {FETCH}")
    return folder
