"""Persons, places and organisations through a spaCy model that a policy names; the only file that imports spaCy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from guard.errors import MetricError
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost
from guard.metrics.score import Span
from guard.metrics.windows import windows

if TYPE_CHECKING:
    from spacy.language import Language

#: spaCy's entities, of the OntoNotes models and of the WikiNER ones → our labels.
LABELS = {
    "PERSON": "name",
    "PER": "name",
    "GPE": "location",
    "LOC": "location",
    "FAC": "location",
    "ORG": "organization",
}
NAMES = frozenset(LABELS.values())
#: spaCy gives no probabilities; this is the score that Presidio gives its findings.
SCORE = 0.85
#: Characters read at once, and the longest name that is found whole whatever window it stands in.
SIZE, OVERLAP = 5_000, 200


class Names:
    """The recogniser of names; it loads the model (a second) on first use or `load()`."""

    cost = Cost.MODEL
    labels = NAMES

    def __init__(self, model: str, folder: Path) -> None:
        packaged = model.isidentifier() and find_spec(model) is not None
        if not packaged and not (folder / model).is_dir():
            raise MetricError(f"no spaCy model '{model}'; name a folder, or run: python -m spacy download {model}")
        self._name = model
        self._source = model if packaged else folder / model

    @property
    def version(self) -> str:
        """The model's name, with its version where it is a package, else with what it says of itself."""
        try:
            return f"{self._name} {version(self._name)}"
        except PackageNotFoundError:
            meta = Path(self._source) / "meta.json"
            return f"{self._name} {fingerprint(meta.read_bytes() if meta.is_file() else b'')}"

    def load(self) -> None:
        """Load the model."""
        self._model  # noqa: B018 - a cached property

    def __call__(self, text: str) -> Iterator[Span]:
        """The names in `text`."""
        for start, end in windows(text, SIZE, OVERLAP):
            for entity in self._model(text[start:end]).ents:
                label = LABELS.get(entity.label_)
                if label:
                    yield Span(start + entity.start_char, start + entity.end_char, label, SCORE)

    @cached_property
    def _model(self) -> Language:
        import spacy

        return spacy.load(self._source, exclude=["parser", "lemmatizer", "attribute_ruler", "tagger"])
