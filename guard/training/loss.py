"""What a batch costs: each head's loss over the rows that know its truth, weighed and added up."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from guard.training.spec import Spec


@dataclass(frozen=True, slots=True)
class Targets:
    """A batch's truth as tensors; below 0 is unknown."""

    columns: Tensor
    entities: Tensor
    known: Tensor
    words: Tensor
    weights: Tensor


class Loss:
    """The loss of a spec's heads, as one number and by head."""

    def __init__(self, spec: Spec) -> None:
        self._smoothing = spec.optimiser.smoothing
        self._groups: list[tuple[str, list[int], float, bool]] = []
        columns = {name: at for at, name in enumerate(spec.columns)}
        for name, head in spec.heads.items():
            labels = [columns[f"{name}/{label}"] for label in head.labels]
            if head.kind == "choice" and labels:
                self._groups.append((name, labels, head.loss, True))
            elif head.kind != "choice":
                self._groups.append((name, [columns[name]], head.loss, False))
                if labels:
                    self._groups.append((f"{name}/*", labels, head.loss / 2, False))
        self._words = [spec.heads[name].marks for name in ("prompt_injection", "context_adherence")]
        self._entities = spec.heads["pii"].marks

    def __call__(self, columns: Tensor, tokens: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The weighed loss of each head that this batch knows something of."""
        size = len(columns)
        parts = {}
        for name, places, weight, choice in self._groups:
            truth, said = targets.columns[:, places], columns[:, places]
            known = (truth >= 0).float() * targets.weights[:, None]
            if choice:
                losses = functional.cross_entropy(said, truth.clamp(min=0), reduction="none") * known[:, 0]
            else:
                smooth = truth.clamp(min=0) * (1 - 2 * self._smoothing) + self._smoothing
                each = functional.binary_cross_entropy_with_logits(said, smooth, reduction="none")
                losses = (each * known).mean(1)
            if known.any():
                parts[name] = weight * losses.sum() / size
        words = tokens[..., -2:]
        for at, name in enumerate(("prompt_injection", "context_adherence")):
            truth = targets.words[..., at]
            known = (truth >= 0).float()
            if known.any():
                each = functional.binary_cross_entropy_with_logits(words[..., at], truth.clamp(min=0), reduction="none")
                of_rows = (each * known).sum(1) / known.sum(1).clamp(min=1)
                parts[f"{name} words"] = self._words[at] * of_rows.sum() / size
        if (targets.entities >= 0).any():
            parts["pii"] = self._entities * _entities(tokens[..., :-2], targets) / size
        return parts


def _entities(said: Tensor, targets: Targets) -> Tensor:
    """Summed over rows: a token nobody marked may be of any kind that nobody looked for."""
    logs = said.log_softmax(-1)
    unknown = (1 - targets.known).unsqueeze(1)
    nothing = torch.logsumexp(torch.cat([logs[..., :1], logs + torch.log(unknown.clamp(min=1e-9))], -1), -1)
    chosen = logs.gather(-1, targets.entities.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    each = -torch.where(targets.entities == 0, nothing, chosen)
    known = (targets.entities >= 0).float()
    # Words inside entities are rare: they count three times.
    weights = known * (1 + 2 * (targets.entities > 0).float())
    return ((each * weights).sum(1) / weights.sum(1).clamp(min=1) * targets.weights).sum()
