"""Personal data: `pii`, and what a policy declares as `{kind: pii}`.

What finds what: Presidio's recognisers (presidio.py, judged by entities.yaml), our patterns (patterns.yaml), telephone
numbers (phones.yaml), names through a spaCy model (names.py). Each is a `Recogniser`; others may stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from guard.errors import MetricError, nearest
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Maker, Metric, each_passage
from guard.metrics.overlaps import resolved
from guard.metrics.pii.entities import countries
from guard.metrics.pii.labels import from_galileo, labels
from guard.metrics.pii.names import NAMES, Names, installed_model
from guard.metrics.pii.patterns import Patterns
from guard.metrics.pii.phones import Phones
from guard.metrics.pii.presidio import Presidio
from guard.metrics.pii.recogniser import Recogniser
from guard.metrics.score import Score, found


class Pii(Maker):
    """`labels` narrows what is looked for (Galileo's names, old and new, will do), `countries` whose identity numbers.

    A finding under `min_score` does not count. `spacy_model` is a package or folder; where it is not said an installed
    English model is used, and without one no names, places and organisations are found.
    """

    kind: ClassVar[str] = "pii"
    labels: frozenset[str] = Field(default_factory=lambda: labels(), min_length=1)
    countries: frozenset[str] | None = None
    min_score: float = Field(default=0.5, ge=0, le=1)
    spacy_model: str | None = None

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

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels. Also raises MetricError where only names are wanted and no model finds them."""
        recognisers: list[Recogniser] = [Patterns(self.labels), Presidio(self.labels, self.countries), Phones()]
        model = self.spacy_model or installed_model()
        if self.labels & NAMES and model:
            recognisers.append(Names(model, folder))
        elif self.labels <= NAMES:
            raise MetricError(f"metric '{name}': names need a model; run: python -m spacy download en_core_web_sm")
        return personal_data(name, recognisers, self)


def pii() -> Metric:
    """The built-in metric: every label that can be found here, with the defaults of `Pii`."""
    return Pii().make("pii", Path())


def personal_data(name: str, recognisers: Sequence[Recogniser], settings: Pii) -> Metric:
    """The metric that runs the recognisers that can find what is wanted; each stretch of text gets one label."""
    needed = [recogniser for recogniser in recognisers if recogniser.labels & settings.labels]
    claimed = settings.labels & frozenset().union(*(recogniser.labels for recogniser in needed))

    def read(text: str) -> Score:
        spans = (span for recogniser in needed for span in recogniser(text))
        return found(resolved(span for span in spans if span.score >= settings.min_score and span.label in claimed))

    def warm_up() -> None:
        for recogniser in needed:
            recogniser.load()
        read("Call 020 7946 0958 or mail a@example.com, password: x1")

    missing = "" if claimed & NAMES else "; no persons, places and organisations: no model of names is installed"
    return Metric(
        name,
        each_passage(read, disguised=False),
        kind="labels",
        version=fingerprint(f"{sorted(claimed)} {settings.min_score}", *(recogniser.version for recogniser in needed)),
        cost=max(recogniser.cost for recogniser in needed),
        labels=claimed,
        windowed=True,
        description=f"personal data: {', '.join(sorted(claimed))}{missing}",
        warm_up=warm_up,
    )
