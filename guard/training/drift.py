"""What int8 changes: the exported graph beside the network it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from guard.metrics.encoder.model import OUTPUTS
from guard.metrics.onnx_model import Graph
from guard.training.encode import Window
from guard.training.graph import feed
from guard.training.network import Network

_EVEN_ODDS = 0.5


@dataclass(frozen=True, slots=True)
class Drift:
    """Differences over a number of windows, between probabilities (sigmoid of the logits, uncalibrated) 0 to 1.

    `columns` and `tokens` are the mean differences, `…_worst` the largest one. `embedding` is the mean cosine,
    `embedding_worst` the least. Of `decisions` (columns of windows, at even odds) so many are `flipped`.
    """

    windows: int
    columns: float
    columns_worst: float
    tokens: float
    tokens_worst: float
    embedding: float
    embedding_worst: float
    decisions: int
    flipped: int


def drift(network: Network, graph: Path, windows: Sequence[Window]) -> Drift:
    """Reads each window with both, one at a time."""
    rounding = Graph.load(graph)
    columns, tokens, cosines, flipped = [], [], [], 0
    for window in windows:
        given = feed(window)
        with torch.inference_mode():
            exact = [each.numpy() for each in network(*map(torch.from_numpy, given.values()))]
        rounded = rounding.run(OUTPUTS, given)
        (was, was_tokens), (now, now_tokens) = map(_probabilities, exact[:2]), map(_probabilities, rounded[:2])
        columns.append(np.abs(was - now))
        tokens.append(np.abs(was_tokens - now_tokens).ravel())
        cosines.append(_cosine(exact[2].ravel(), rounded[2].ravel()))
        flipped += int(((was >= _EVEN_ODDS) != (now >= _EVEN_ODDS)).sum())
    apart, words = np.concatenate(columns), np.concatenate(tokens)
    return Drift(
        windows=len(windows),
        columns=float(apart.mean()),
        columns_worst=float(apart.max()),
        tokens=float(words.mean()),
        tokens_worst=float(words.max()),
        embedding=float(np.mean(cosines)),
        embedding_worst=min(cosines),
        decisions=apart.size,
        flipped=flipped,
    )


def _probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(logits.astype(np.float64) / 2))


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
