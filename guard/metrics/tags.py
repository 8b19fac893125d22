"""How a checkpoint's answers about tokens become probabilities of the labels that a policy knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.metrics.answers import known
from guard.metrics.checkpoint import Config
from guard.metrics.encoder.reading import softmax

Numbers = NDArray[np.float32]

#: What is no entity, in every scheme.
OUTSIDE = "O"
#: The tags of BIO (IOB1 and IOB2), BIOES and BILOU: in front of a label they say which part of an entity a token is.
_TAGGED = re.compile(r"([BIESLUM])[-_](.+)")
#: An entity of one token begins there too.
_BEGINS = frozenset("BSU")


@dataclass(frozen=True, slots=True)
class Tags:
    """`begins` and `inside` say, for each of the policy's `names`, which of the checkpoint's `count` answers mean that
    an entity begins at a token or that the token is in one; in a plain scheme, all are of the second sort.
    """

    names: tuple[str, ...]
    begins: tuple[tuple[int, ...], ...]
    inside: tuple[tuple[int, ...], ...]
    count: int

    @classmethod
    def of(cls, config: Config, renamed: Mapping[str, str | None]) -> Tags:
        """The checkpoint's tags with their labels renamed, or dropped (None).

        Raises MetricError for labels that the checkpoint does not have, and where every answer is an entity.
        """
        tagged = any(label[:1] in "BI" and _TAGGED.fullmatch(label) for label in config.labels)
        parts = {column: _parts(label, tagged) for column, label in enumerate(config.labels) if label != OUTSIDE}
        known(renamed, {label: None for _, label in parts.values()})
        groups: dict[str, tuple[list[int], list[int]]] = {}
        for column, (begins, label) in parts.items():
            name = renamed.get(label, label)
            if name is not None:
                groups.setdefault(name, ([], []))[0 if begins else 1].append(column)
        if not groups:
            raise MetricError("`labels` drops every label of the model; keep one at least")
        if len(parts) == len(config.labels) and None not in renamed.values():
            first = next(iter(parts.values()))[1]
            raise MetricError(f"the model has no label 'O'; say which one means nothing: `labels: {{{first}: null}}`")
        begins, inside = zip(*groups.values(), strict=True)
        return cls(tuple(groups), tuple(map(tuple, begins)), tuple(map(tuple, inside)), len(config.labels))

    def probabilities(self, logits: Numbers) -> tuple[Numbers, Numbers]:
        """That an entity of each name begins at each token, and that the token is further inside of one.

        Both are tokens by names, from tokens by the checkpoint's labels. Raises ValueError where the logits are no
        numbers.
        """
        if not np.isfinite(logits).all():
            raise ValueError("the model answered with what is no number")
        shares = softmax(logits)
        return _summed(shares, self.begins), _summed(shares, self.inside)


def _parts(label: str, tagged: bool) -> tuple[bool, str]:
    """Whether a label says that an entity begins, and the label of the entity."""
    match = _TAGGED.fullmatch(label) if tagged else None
    return (match[1] in _BEGINS, match[2]) if match else (False, label)


def _summed(shares: Numbers, groups: tuple[tuple[int, ...], ...]) -> Numbers:
    return np.stack([shares[:, columns].sum(axis=1) for columns in groups], axis=1)
