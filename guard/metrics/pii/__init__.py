"""Personal data: `pii`, and what a policy declares as `{kind: pii}`.

What finds what: Presidio's recognisers (presidio.py, judged by entities.yaml), our patterns (patterns.yaml), telephone
numbers (phones.yaml), the shipped model's token head (head.py), names through a spaCy model (names.py), a token
classifier of the user's choice (tagger.py). Each is a `Recogniser`; others may stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from guard.errors import MetricError, nearest
from guard.metrics.encoder.facts import FOLDER
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Maker, Metric, each_passage
from guard.metrics.overlaps import resolved
from guard.metrics.pii.entities import countries
from guard.metrics.pii.head import Head
from guard.metrics.pii.labels import from_galileo, general, labels
from guard.metrics.pii.names import NAMES, Names
from guard.metrics.pii.patterns import Patterns
from guard.metrics.pii.phones import Phones
from guard.metrics.pii.presidio import Presidio
from guard.metrics.pii.recogniser import Recogniser
from guard.metrics.pii.tagger import Tagger
from guard.metrics.score import Score, Span, found
from guard.metrics.token_classifier import TokenClassifier


class Pii(Maker):
    """`labels` narrows what is looked for (Galileo's names, old and new, will do), `countries` whose identity numbers.

    A finding under `min_score` does not count. `model` says whether the shipped model reads too: without it only
    patterns do, which is faster. `spacy_model`, a package or folder, finds names in its place. `token_classifier`
    reads beside them, for what its `labels` name.
    """

    kind: ClassVar[str] = "pii"
    labels: frozenset[str] = Field(default_factory=lambda: labels(), min_length=1)
    countries: frozenset[str] | None = None
    min_score: float = Field(default=0.5, ge=0, le=1)
    model: bool = True
    spacy_model: str | None = None
    token_classifier: TokenClassifier | None = None

    @field_validator("labels", mode="after")
    @classmethod
    def _ours(cls, names: frozenset[str]) -> frozenset[str]:
        try:
            return frozenset().union(*map(from_galileo, names))
        except MetricError as error:
            raise ValueError(str(error)) from None

    @field_validator("countries", mode="after")
    @classmethod
    def _known(cls, names: frozenset[str] | None) -> frozenset[str] | None:
        for name in sorted(names or ()):
            if name not in countries():
                raise ValueError(f"no identity numbers of a country '{name}'; {nearest(name, countries())}")
        return names

    @field_validator("token_classifier", mode="after")
    @classmethod
    def _named_as_ours(cls, settings: TokenClassifier | None) -> TokenClassifier | None:
        if settings is None:
            return None
        names = sorted(filter(None, settings.labels.values()))
        if not names:
            raise ValueError("say which of its entities are personal data: `labels: {PER: name}`")
        for name in names:
            if name not in labels():
                raise ValueError(f"no label '{name}' of personal data; {nearest(name, labels())}")
        return settings

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels. Also raises MetricError where nothing finds what is wanted."""
        patterns = (Patterns(self.labels), Presidio(self.labels, self.countries), Phones())
        recognisers = [*patterns, *self._models(folder)]
        if not any(recogniser.labels & self.labels for recogniser in recognisers):
            wanted = ", ".join(sorted(self.labels))
            raise MetricError(f"metric '{name}': only a model finds {wanted}; leave out `model: false`")
        return personal_data(name, recognisers, self)

    def _models(self, folder: Path) -> Iterator[Recogniser]:
        if self.model:
            yield Head(self.labels - NAMES if self.spacy_model else self.labels, FOLDER)
        if self.spacy_model:
            yield Names(self.spacy_model, folder)
        if self.token_classifier:
            yield Tagger(self.token_classifier, folder)


def pii() -> Metric:
    """The built-in metric: every label that can be found here, with the defaults of `Pii`."""
    return Pii().make("pii", Path())


def personal_data(name: str, recognisers: Sequence[Recogniser], settings: Pii) -> Metric:
    """The metric that runs the recognisers that can find what is wanted; each stretch of text gets one label."""
    needed = [recogniser for recogniser in recognisers if recogniser.labels & settings.labels]
    claimed = settings.labels & frozenset().union(*(recogniser.labels for recogniser in needed))

    def read(text: str) -> Score:
        everything = (span for recogniser in needed for span in recogniser(text))
        wanted = (span for span in everything if span.score >= settings.min_score and span.label in claimed)
        return found(settled(text, wanted))

    def warm_up() -> None:
        for recogniser in needed:
            recogniser.load()
        read("Call 020 7946 0958 or mail a@example.com, password: x1")

    missing = "" if claimed & NAMES else "; no persons, places and organisations: no model reads along"
    return Metric(
        name,
        each_passage(read, disguised=False),
        kind="labels",
        version=fingerprint(f"{sorted(claimed)} {settings.min_score}", *(recogniser.version for recogniser in needed)),
        cost=max(recogniser.cost for recogniser in needed),
        labels=claimed,
        windowed=True,
        shared=next((recogniser.model for recogniser in needed if isinstance(recogniser, Head)), ""),
        description=f"personal data: {', '.join(sorted(claimed))}{missing}",
        warm_up=warm_up,
    )


def settled(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The findings without overlaps, in order: a general label gives way to any other, else the surer finding stands.

    What a finding leaves of another one counts where it has a letter or digit.
    """
    for span in resolved(spans, lambda span: span.score - (span.label in general())):
        if any(map(str.isalnum, text[span.start : span.end])):
            yield span
