"""Rows read by a network as the run time reads them: whole, in overlapping windows, the highest counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from guard.training.encode import Encoder, Window
from guard.training.network import Network
from guard.training.rows import Row

#: Tokens of one batch, padding included.
TOKENS = 16_384


def logits(
    network: Network,
    found: Sequence[Row],
    encoder: Encoder,
    device: str,
    precision: str,
    step: Callable[[int], None],
) -> NDArray[np.float32]:
    """The highest logit of each column over a row's windows: rows by columns."""
    readings = [(at, reading) for at, row in enumerate(found) for reading in encoder.windows(row)]
    readings.sort(key=lambda pair: len(pair[1].ids))
    best = np.full((len(found), len(network.heads)), -np.inf, np.float32)
    group: list[tuple[int, Window]] = []
    for pair in readings:
        if group and (len(group) + 1) * len(pair[1].ids) > TOKENS:
            _read(network, group, best, device, precision)
            step(len({at for at, _ in group}))
            group = []
        group.append(pair)
    if group:
        _read(network, group, best, device, precision)
    return best


@torch.inference_mode()
def _read(
    network: Network, group: Sequence[tuple[int, Window]], best: NDArray[np.float32], device: str, precision: str
) -> None:
    length = max(len(reading.ids) for _, reading in group)
    ids, types, mask = (torch.zeros(len(group), length, dtype=torch.long) for _ in range(3))
    for at, (_, reading) in enumerate(group):
        ids[at, : len(reading.ids)] = torch.from_numpy(reading.ids)
        types[at, : len(reading.types)] = torch.from_numpy(reading.types)
        mask[at, : len(reading.ids)] = 1
    with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        columns = network(ids.to(device), types.to(device), mask.to(device))[0].float().cpu().numpy()
    np.maximum.at(best, [at for at, _ in group], columns)
