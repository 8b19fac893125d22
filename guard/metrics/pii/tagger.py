"""A token classifier of the user's choice as a recogniser: its entities, where they are personal data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from guard.metrics.fingerprint import fingerprint
from guard.metrics.local_model import Allowance
from guard.metrics.metric import Cost
from guard.metrics.pii.head import SUREST, even
from guard.metrics.score import Span
from guard.metrics.token_classifier import TokenClassifier, TokenReader


class Tagger:
    """The recogniser of a token classifier, whose `labels` say which entity is which label of ours.

    Entities that they do not name are left out. The model is loaded on first use or `load()`. Raises MetricError where
    there is none, or where it has no such entities.
    """

    cost = Cost.MODEL

    def __init__(self, settings: TokenClassifier, folder: Path) -> None:
        self._settings = settings
        source = settings.source(folder)
        if config := source.config():
            settings.tags(config)
        self._reader = TokenReader(settings, source)
        self.labels = frozenset(filter(None, settings.labels.values()))
        self.version = fingerprint(settings.version(source), f"{SUREST}")

    def load(self) -> None:
        """Load the model."""
        self._reader.warm_up()

    def __call__(self, text: str) -> Iterator[Span]:
        """What it finds. Raises ValueError where the text takes more windows than the settings allow."""
        settings = self._settings
        for span in self._reader.read(text, Allowance(settings.max_windows)).spans:
            if span.label in self.labels:
                threshold = settings.thresholds.get(span.label, settings.threshold)
                yield Span(span.start, span.end, span.label, even(span.score, threshold))
