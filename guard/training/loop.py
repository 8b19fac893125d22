"""The training loop: steps, a running mean of the weights, checkpoints that a run goes on from."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from guard.training.loss import Loss, Targets
from guard.training.network import Network
from guard.training.spec import Round, Spec
from guard.training.stream import Batch, Stream

#: Steps between two lines of the log.
LOGGED = 50


class Trainer:
    """Trains a network by a spec. `state()` and `restore()` carry everything a run needs to go on."""

    def __init__(self, network: Network, spec: Spec, device: str) -> None:
        self.network = network.to(device)
        self.mean = copy.deepcopy(self.network).eval()
        self.round = 0
        self.pool = 0
        self._spec = spec
        self._device = device
        self._loss = Loss(spec)
        self._steps = 0
        self._seen = 0
        self._optimiser = torch.optim.AdamW(_groups(self.network, spec), lr=1.0, fused=True)

    def state(self) -> dict[str, Any]:
        """Weights, their mean, the optimiser, and where the run is."""
        return {
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "place": (self.round, self.pool, self._steps, self._seen),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self.mean.load_state_dict(state["mean"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.round, self.pool, self._steps, self._seen = state["place"]

    def train(self, stream: Stream, told: Round, log: Callable[[dict[str, float]], None]) -> Iterator[int]:
        """One round, or what is left of it; yields the tokens seen in it after each pool of batches."""
        self.network.train()
        totals: dict[str, float] = {}
        while self._seen < told.tokens:
            # Dropout follows from the pool's number too: a run that goes on from here comes to the same weights.
            torch.manual_seed(self._spec.seed + self.pool)
            for batch in stream.pool(self.pool):
                rate = _rate(told, self._seen / told.tokens, self._spec.optimiser.warm_up)
                parts = self._step(batch, rate)
                self._seen += int(batch.mask.sum())
                for name, part in parts.items():
                    totals[name] = totals.get(name, 0.0) + part
                if self._steps % LOGGED == 0:
                    log({"step": self._steps, "tokens": self._seen, "rate": rate}
                        | {name: total / LOGGED for name, total in totals.items()})  # fmt: skip
                    totals = {}
                if self._seen >= told.tokens:
                    break
            self.pool += 1
            yield self._seen
        self.round += 1
        self._seen = 0

    def _step(self, batch: Batch, rate: float) -> dict[str, float]:
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        half = self._spec.optimiser.precision == "bfloat16"
        ids, types, mask, targets = tensors(batch, self._device)
        with torch.autocast(self._device, dtype=torch.bfloat16, enabled=half):
            columns, tokens, _ = self.network(ids, types, mask)
        parts = self._loss(columns.float(), tokens.float(), targets)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._spec.optimiser.clip)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._steps += 1
        decay = min(self._spec.optimiser.average, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            for kept, new in zip(self.mean.parameters(), self.network.parameters(), strict=True):
                if new.requires_grad:
                    kept.lerp_(new, 1 - decay)
        return {name: part.item() for name, part in parts.items()}


def tensors(batch: Batch, device: str) -> tuple[Tensor, Tensor, Tensor, Targets]:
    """A batch on the device: ids, types, mask, targets."""
    ids, types, mask, columns, entities, known, words, weights = (
        torch.from_numpy(getattr(batch, name)).to(device) for name in Batch.__slots__
    )
    return ids, types, mask, Targets(columns, entities, known, words, weights)


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a state whole or not at all."""
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def _groups(network: Network, spec: Spec) -> list[dict[str, Any]]:
    """The word embeddings stay as they are: rare words would drift on the few rows that have them. New layers learn
    five times as fast as the encoder, and nothing small (biases, norms) decays.
    """
    network.encoder.embeddings.word_embeddings.requires_grad_(False)
    network.encoder.embeddings.position_embeddings.requires_grad_(False)
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
    return [
        {"params": found, "factor": 1.0 if old else 5.0, "weight_decay": spec.optimiser.weight_decay if wide else 0.0}
        for (old, wide), found in groups.items()
    ]


def _rate(told: Round, done: float, warm_up: float) -> float:
    if done < warm_up:
        return told.rate * (done / warm_up)
    left = (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2
    return told.last_rate + (told.rate - told.last_rate) * left
