"""The token head of the shared encoder as a recogniser: names, dates, and values that only the sentence gives away."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from guard.metrics.encoder import encoder
from guard.metrics.encoder.entities import entities
from guard.metrics.encoder.facts import EVEN, facts
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost
from guard.metrics.score import Span

HEAD = "pii"
#: What the head scores at most: a pattern whose check digit is right knows better.
SUREST = 0.95


class Head:
    """The recogniser of the head `pii`. The model is loaded on first use or `load()`, once for all metrics.

    Raises MetricError where the folder holds no model.
    """

    cost = Cost.MODEL

    def __init__(self, wanted: Collection[str], folder: Path) -> None:
        self._folder = folder
        self._facts = facts(folder)
        tags = self._facts.tags(HEAD)
        self._labels = {name: label for name, label in head_labels().items() if f"B-{name}" in tags and label in wanted}
        self.labels = frozenset(self._labels.values())

    @property
    def version(self) -> str:
        """Of the weights, and of what is made of their answers."""
        head = self._facts.heads[HEAD].model_dump_json()
        return fingerprint(self._facts.reads_as, head, f"{SUREST} {sorted(self._labels.items())}")

    @property
    def model(self) -> str:
        """What reads the text for other metrics too."""
        return self._facts.model

    def load(self) -> None:
        """Load the model."""
        encoder(self._folder)

    def __call__(self, text: str) -> Iterator[Span]:
        """What the head finds. Raises ValueError where the text is longer than the encoder reads."""
        thresholds = self._facts.heads[HEAD].thresholds
        for found in entities(encoder(self._folder).read(text), self._facts, HEAD):
            if label := self._labels.get(found.label):
                score = even(found.score, thresholds.get(found.label, EVEN))
                yield Span(found.start, found.end, label, score)


@cache
def head_labels() -> dict[str, str]:
    """The head's labels, in the order of its columns, each with the label of ours that it is."""
    return YAML(typ="safe").load(Path(__file__).with_name("head.yaml").read_text("utf-8"))


def even(probability: float, threshold: float) -> float:
    """A probability so that the threshold is even odds, as patterns' scores are meant, and certainty is SUREST."""
    return EVEN + (SUREST - EVEN) * (probability - threshold) / (1 - threshold)
