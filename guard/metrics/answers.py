"""How a checkpoint's raw answers (logits) become probabilities of the labels that a policy knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError, nearest
from guard.metrics.checkpoint import Config

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """`columns` says, for each of the policy's `names`, which of the checkpoint's `count` labels it stands for.

    Where labels exclude each other (softmax) the probability of several is their sum; where they do not
    (`multi_label`, sigmoid), it is the highest.
    """

    names: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]
    count: int
    multi_label: bool

    @classmethod
    def of(cls, config: Config, renamed: Mapping[str, str | None], multi_label: bool | None = None) -> Answers:
        """The checkpoint's answers with labels renamed, or dropped (None).

        Raises MetricError for labels that the checkpoint does not have, and for one that gives no probabilities.
        """
        known(renamed, config.labels)
        groups: dict[str, list[int]] = {}
        for column, label in enumerate(config.labels):
            name = renamed.get(label, label)
            if name is not None:
                groups.setdefault(name, []).append(column)
        if not groups:
            raise MetricError("`labels` drops every label of the model; keep one at least")
        if multi_label is None:
            multi_label = _says_multi_label(config)
        return cls(tuple(groups), tuple(map(tuple, groups.values())), len(config.labels), multi_label)

    def only(self, names: Collection[str]) -> Answers:
        """The same, of these names only. Raises MetricError for a name that is not among them."""
        known(names, self.names)
        kept = [(name, columns) for name, columns in zip(self.names, self.columns, strict=True) if name in names]
        return Answers(tuple(name for name, _ in kept), tuple(c for _, c in kept), self.count, self.multi_label)

    def probabilities(self, logits: Numbers) -> Numbers:
        """Windows by names, each 0..1, from windows by the checkpoint's labels.

        Raises ValueError where the logits are not what the checkpoint announced, or no numbers.
        """
        if logits.ndim != 2 or logits.shape[1] != self.count:
            raise ValueError(
                f"the model answered in the shape {logits.shape}, but its config names {self.count} labels"
            )
        if not np.isfinite(logits).all():
            raise ValueError("the model answered with what is no number")
        if self.multi_label:
            each = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
        else:
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            each = powers / powers.sum(axis=1, keepdims=True)
        return np.stack([self.together(each[:, columns]) for columns in self.columns], axis=1)

    def together(self, probabilities: Numbers) -> Numbers:
        """The probability of any of the labels, for each window: windows by labels → windows."""
        return probabilities.max(axis=1) if self.multi_label else probabilities.sum(axis=1).clip(0, 1)


def known(labels: Collection[str], there: Collection[str]) -> None:
    """Raises MetricError, with the nearest one there is, for a label that is not there."""
    for label in labels:
        if label not in there:
            raise MetricError(f"the model has no label '{label}'; {nearest(label, there)}")


def _says_multi_label(config: Config) -> bool:
    if config.problem == "regression":
        raise MetricError("the model gives quantities, not probabilities; set multi_label: true if they are logits")
    # One label alone would have the probability 1 by softmax, whatever the text.
    return config.problem == "multi_label_classification" or len(config.labels) == 1
