"""Harmless texts that the model so far takes for attacks: what it learns from next."""

from __future__ import annotations

import random
from collections.abc import Callable

from guard.training.data import Data
from guard.training.encode import Encoder
from guard.training.judge import logits
from guard.training.network import Network
from guard.training.rows import Row
from guard.training.spec import Mining, Spec


def mined(
    told: Mining, network: Network, data: Data, encoder: Encoder, spec: Spec, device: str, chance: random.Random,
    step: Callable[[int], None],
) -> list[Row]:  # fmt: skip
    """The `keep` harmless training rows with the highest numbers of a head, of `pool` drawn evenly from the sources."""
    pools = [
        [row for row in data.by_source[name] if row.fold == "train" and row.truth.get(told.head) == 0.0]
        for name in told.sources
    ]
    each = told.pool // max(1, len(pools))
    drawn = [row for pool in pools for row in chance.sample(pool, min(each, len(pool)))]
    numbers = logits(network, drawn, encoder, device, spec.optimiser.precision, step)[:, spec.columns.index(told.head)]
    return [drawn[at] for at in numbers.argsort()[::-1][: told.keep]]
