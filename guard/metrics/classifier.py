"""Kind `classifier`: any text-classification checkpoint, a local ONNX one or whatever transformers can load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self, cast

import numpy as np
from pydantic import Field, model_validator

from guard.metrics.answers import Answers
from guard.metrics.checkpoint import Config, Source, Task
from guard.metrics.local_model import Allowance, LocalModel, Reader
from guard.metrics.metric import Cost, Kind, Metric, each_passage
from guard.metrics.score import Failure, Measurement, Score, Span, found
from guard.metrics.tokens import Window
from guard.metrics.turn import Side, Turn


class Classifier(LocalModel):
    """`gives: number` is the probability of `positive` (of any of them, where there are several), `gives: labels` every
    label that reaches `threshold`, `gives: label` the likeliest one. `labels` renames the checkpoint's labels, one or
    several to the same name, or drops them (null); every other field speaks the new names. `multi_label` says whether
    labels exclude each other (softmax) or not (sigmoid); by default the checkpoint says.
    """

    kind: ClassVar[str] = "classifier"
    task: ClassVar[Task] = "text-classification"
    algorithm: ClassVar[int] = 1

    gives: Kind = "number"
    positive: str | tuple[str, ...] = ()
    labels: Mapping[str, str | None] = {}
    threshold: float = Field(default=0.5, gt=0, le=1)
    multi_label: bool | None = None

    @model_validator(mode="after")
    def _positive_goes_with_numbers(self) -> Self:
        if self.gives == "number" and not self.positive:
            raise ValueError("`positive` is missing: the label, or list of labels, whose probability is the number")
        if self.gives != "number" and self.positive:
            raise ValueError(f"`positive` belongs to `gives: number`; leave it out, as `gives` is {self.gives}")
        return self

    def make(self, name: str, folder: Path) -> Metric:
        """The metric. Its model is loaded by `warm_up`, or on first use. A wrong path or label raises MetricError."""
        source = self.source(folder)
        config = source.config()
        answers = None if config is None else self.answers(config)
        reader = TextReader(self, source)
        return Metric(
            name=name,
            measure=reader.measure,
            kind=self.gives,
            version=self.version(source),
            cost=Cost.MODEL,
            labels=None if answers is None else frozenset(answers.names),
            windowed=self.gives != "label",
            across=self.gives != "label",
            description=f"{self.gives} by {self.model}",
            warm_up=reader.warm_up,
        )

    def answers(self, config: Config) -> Answers:
        """What the checkpoint answers, in this policy's words. Raises MetricError where it cannot."""
        answers = Answers.of(config, self.labels, self.multi_label)
        positive = (self.positive,) if isinstance(self.positive, str) else self.positive
        return answers.only(positive) if positive else answers


class TextReader(Reader):
    """Reads texts by a classifier's settings."""

    def __init__(self, settings: Classifier, source: Source) -> None:
        super().__init__(settings, source)
        self.settings = settings

    @cached_property
    def answers(self) -> Answers:
        """Raises MetricError where the settings do not fit the checkpoint."""
        return self.settings.answers(self.model.config)

    def measure(self, turn: Turn, side: Side) -> Measurement:
        """A failure where the side takes more than `max_windows`: it is never read in part."""
        likeliest = self.settings.gives == "label"
        try:
            allowance = self.allowance(turn, side)
            # A decoded view has no tone of its own: the likeliest label is that of the text as it stands.
            passages = each_passage(lambda text: self.read(text, allowance), decoded=not likeliest)
            score = cast(Score, passages(turn, side))
        except ValueError as error:
            return Failure(str(error))
        if not likeliest:
            return score
        # Nothing at all has a likeliest label too, but it must not compete with texts that say something.
        return _likeliest(score if score.spans else self._score([self.model.tokens.nothing]))

    def read(self, text: str, allowance: Allowance) -> Score:
        """Of kind label it is still a number, the likeliest label's: those can be merged."""
        windows = self.model.tokens.windows(text, *self.sizes)
        allowance.take(len(windows))
        return self._score(windows)

    def _score(self, windows: list[Window]) -> Score:
        settings, names = self.settings, self.answers.names
        table = self.answers.probabilities(self.model.logits(windows)) if windows else np.zeros((0, len(names)))
        by_label = dict(zip(names, table.max(axis=0, initial=0.0).tolist(), strict=True))
        if settings.gives == "labels":
            spans = [
                Span(window.start, window.end, name, probability)
                for window, row in zip(windows, table.tolist(), strict=True)
                for name, probability in zip(names, row, strict=True)
                if probability >= settings.threshold
            ]
            return replace(found(spans, model=settings.model), by_label=by_label)
        numbers = self.answers.together(table) if settings.gives == "number" else table.max(axis=1)
        value = float(numbers.max(initial=0.0))
        shown = settings.threshold if settings.gives == "number" else value
        spans = [
            Span(window.start, window.end, names[int(row.argmax())], float(number))
            for window, row, number in zip(windows, table, numbers, strict=True)
            if number >= shown
        ]
        return Score(value, spans=tuple(spans), model=settings.model, by_label=by_label)


def _likeliest(score: Score) -> Score:
    span = max(score.spans, key=lambda span: span.score)
    return replace(score, value=span.label, spans=(span,))
