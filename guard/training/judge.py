"""Rows read by a network as the run time reads them: whole, in overlapping windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from guard.metrics.onnx_model import Graph
from guard.training.encode import Encoder, Window
from guard.training.graph import feed
from guard.training.network import Network
from guard.training.rows import Row

#: Tokens of one batch, padding included.
TOKENS = 16_384

Logits = NDArray[np.float32]


class Reader(Protocol):
    """What gives the columns of windows: windows by columns."""

    def __call__(self, windows: Sequence[Window]) -> Logits:
        """The logits."""
        ...


class _Place(NamedTuple):
    row: int
    part: int
    window: Window


def logits(read: Reader, found: Sequence[Row], encoder: Encoder, step: Callable[[int], None]) -> Logits:
    """The logits of each column, rows by columns: the highest of a row's parts, of whose windows the lowest counts.

    `step` is told how many more rows are done.
    """
    places = [
        _Place(row, part, window)
        for row, each in enumerate(found)
        for part, windows in enumerate(encoder.readings(each))
        for window in windows
    ]
    places.sort(key=lambda place: len(place.window.ids))
    left = Counter(place.row for place in places)
    parts: dict[tuple[int, int], Logits] = {}
    for group in _groups(places):
        for place, numbers in zip(group, read([place.window for place in group]), strict=True):
            known = parts.get(place[:2])
            parts[place[:2]] = numbers if known is None else np.minimum(known, numbers)
        before = len(left)
        left -= Counter(place.row for place in group)
        step(before - len(left))
    best: list[Logits | None] = [None] * len(found)
    for (row, _), numbers in parts.items():
        known = best[row]
        best[row] = numbers if known is None else np.maximum(known, numbers)
    return np.array(best, np.float32)


def network_reader(network: Network, device: str, precision: str) -> Reader:
    """Reads with a network, in padded batches."""

    @torch.inference_mode()
    def read(windows: Sequence[Window]) -> Logits:
        length = max(len(window.ids) for window in windows)
        ids, types, mask = (torch.zeros(len(windows), length, dtype=torch.long) for _ in range(3))
        for at, window in enumerate(windows):
            ids[at, : len(window.ids)] = torch.from_numpy(window.ids)
            types[at, : len(window.types)] = torch.from_numpy(window.types)
            mask[at, : len(window.ids)] = 1
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            return network(ids.to(device), types.to(device), mask.to(device))[0].float().cpu().numpy()

    return read


def graph_reader(graph: Graph) -> Reader:
    """Reads with an exported graph, one window at a time as at run time."""
    return lambda windows: np.concatenate([graph.run(["columns"], feed(window))[0] for window in windows])


def _groups(places: Sequence[_Place]) -> Iterator[list[_Place]]:
    """Windows, sorted by length, as many together as may be padded to the longest."""
    group: list[_Place] = []
    for place in places:
        if group and (len(group) + 1) * len(place.window.ids) > TOKENS:
            yield group
            group = []
        group.append(place)
    if group:
        yield group
