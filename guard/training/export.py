"""A trained network as the folder that `guard.metrics.encoder` reads: graph, tokenizer and facts."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guard.errors import SettingsError
from guard.training.drift import Drift, drift
from guard.training.encode import Window
from guard.training.graph import write_int8
from guard.training.network import Network

#: The most that graph and tokenizer may take together, in bytes: every installation carries them.
LARGEST = 30_000_000


def export(
    network: Network,
    facts: Mapping[str, Any],
    tokenizer: Path,
    folder: Path,
    ranges: Sequence[Window],
    probes: Sequence[Window],
    largest: int = LARGEST,
) -> Drift:
    """Writes `model.onnx` (int8), `tokenizer.json` and `model.json` (`facts` and the other two's hashes).

    `ranges` are windows of every kind that the network reads, pairs among them: a few hundred, which set the scales of
    int8. The drift is measured on `probes`, which should be others. Raises SettingsError where the files are larger
    than `largest` bytes; then there is no `model.json`, without which the folder is not a model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts_file = folder / "model.json"
    facts_file.unlink(missing_ok=True)
    files = folder / "model.onnx", folder / "tokenizer.json"
    write_int8(network, ranges, files[0])
    shutil.copyfile(tokenizer, files[1])
    size = sum(file.stat().st_size for file in files)
    if size > largest:
        raise SettingsError(
            f"model and tokenizer take {size:,} bytes, {largest:,} at most: start from a smaller encoder or vocabulary"
        )
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    facts_file.write_text(json.dumps({**facts, "sha256": hashes}, indent=1) + "\n", encoding="utf-8")
    return drift(network, files[0], probes)
