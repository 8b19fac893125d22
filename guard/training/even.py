"""Channels evened out before int8: a few of an encoder's channels are far larger than the rest, and cost them all
their precision when one scale has to hold them.

Source: SmoothQuant (Xiao et al. 2022, https://arxiv.org/abs/2211.10438): dividing a product's input channel and
multiplying the weights' row by the same number changes nothing but what rounding does. Here only channels above a
quantile of them all are divided, and the quantile is the one under which rounding does least harm.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from guard.training.encode import Window
from guard.training.network import Network

#: Channels larger than this quantile of them are brought down to it; 1 leaves all as they are.
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.98, 1.0)
#: Rows of a window that rounding is tried on. The special ones at its ends are always among them.
_ROWS = 8


class Evened(nn.Module):
    """A product whose input is first multiplied with `inverse`, by channel, and whose weights make up for it."""

    inverse: Tensor

    def __init__(self, linear: nn.Linear, inverse: Tensor) -> None:
        super().__init__()
        self.register_buffer("inverse", inverse)
        self.linear = copy.deepcopy(linear)
        self.linear.weight.data /= inverse

    def forward(self, values: Tensor) -> Tensor:
        """What the product alone gave."""
        return self.linear(values * self.inverse)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a product was given: the least and the largest of each channel, and some rows."""

    least: Tensor
    largest: Tensor
    rows: Tensor


def even(network: Network, windows: Iterable[Window]) -> None:
    """Evens out, in place, what the encoder's layers read; what the network says of a text stays as it was.

    Attention's output product is left alone: its input has no such channels.
    """
    layers = cast("list[Any]", list(network.encoder.encoder.layer))
    groups = [
        *((layer.attention.self, ("query", "key", "value")) for layer in layers),
        *((layer.intermediate, ("dense",)) for layer in layers),
        *((layer.output, ("dense",)) for layer in layers),
    ]
    seen = _seen(network, [getattr(module, names[0]) for module, names in groups], windows)
    for (module, names), read in zip(groups, seen, strict=True):
        products = [getattr(module, name) for name in names]
        inverse = _best([product.weight.data.T for product in products], read)
        for name, product in zip(names, products, strict=True):
            setattr(module, name, Evened(product, inverse))


def _seen(network: Network, products: Sequence[nn.Linear], windows: Iterable[Window]) -> list[Seen]:
    rows: list[list[Tensor]] = [[] for _ in products]
    ends: list[list[Tensor]] = [[] for _ in products]

    def watch(at: int) -> torch.utils.hooks.RemovableHandle:
        def note(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            values = given[0][0]
            chosen = [*range(0, len(values), max(1, len(values) // _ROWS)), len(values) - 1]
            rows[at].append(values[chosen])
            ends[at].append(torch.stack(torch.aminmax(values, dim=0)))

        return products[at].register_forward_pre_hook(note)

    watches = [watch(at) for at in range(len(products))]
    with torch.inference_mode():
        for window in windows:
            ids, types = torch.from_numpy(window.ids)[None], torch.from_numpy(window.types)[None]
            network(ids, types, torch.ones_like(ids))
    for handle in watches:
        handle.remove()
    return [
        Seen(torch.stack(end)[:, 0].amin(0), torch.stack(end)[:, 1].amax(0), torch.cat(row))
        for end, row in zip(ends, rows, strict=True)
    ]


def _best(weights: Sequence[Tensor], seen: Seen) -> Tensor:
    largest = torch.maximum(seen.largest, -seen.least).clamp(min=1e-6)
    tried = [(largest.quantile(quantile) / largest).clamp(max=1.0) for quantile in QUANTILES]
    return min(tried, key=lambda inverse: sum(_harm(inverse, each, seen) for each in weights))


def _harm(inverse: Tensor, weights: Tensor, seen: Seen) -> float:
    """The relative squared error of a product when its input is rounded by one scale and its weights by column."""
    values, exact = seen.rows * inverse, seen.rows @ weights
    least, largest = (seen.least * inverse).min().clamp(max=0), (seen.largest * inverse).max().clamp(min=0)
    step = (largest - least) / 255
    zero = (-least / step).round()
    values = (((values / step).round() + zero).clamp(0, 255) - zero) * step
    scaled = weights / inverse[:, None]
    steps = scaled.abs().amax(0).clamp(min=1e-12) / 127
    error = values @ ((scaled / steps).round() * steps) - exact
    return float((error.square().sum(1) / exact.square().sum(1)).mean())
