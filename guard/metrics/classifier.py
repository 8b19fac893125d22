"""Kind `classifier`: any text-classification checkpoint, a local ONNX one or whatever transformers can load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self, cast

import numpy as np
from pydantic import Field, model_validator

from guard.errors import MetricError
from guard.metrics.answers import Answers
from guard.metrics.checkpoint import Config, Model, Source, find
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Kind, Maker, Metric, each_passage
from guard.metrics.score import Failure, Measurement, Score, Span, found
from guard.metrics.tokens import Window
from guard.metrics.turn import Side, Turn

#: Goes into every version: raise it when the same model and settings could give another score.
ALGORITHM = 1
#: No prose has so many characters a token. What has more than fit all windows is refused before it is cut into tokens,
#: which takes a second or more for each megabyte.
CHARACTERS = 16


class Classifier(Maker):
    """`model` is a folder, a `.onnx` file or a Hugging Face id, at `revision`.

    `gives: number` is the probability of `positive` (of any of them, where there are several), `gives: labels` every
    label that reaches `threshold`, `gives: label` the likeliest one. `labels` renames the checkpoint's labels, one or
    several to the same name, or drops them (null); every other field speaks the new names. `multi_label` says whether
    labels exclude each other (softmax) or not (sigmoid); by default the checkpoint says. Text is read in windows of
    `window` tokens (default: as many as the model takes), `overlap` of them shared (default: an eighth).
    """

    kind: ClassVar[str] = "classifier"

    model: str = Field(min_length=1)
    revision: str | None = None
    gives: Kind = "number"
    positive: str | tuple[str, ...] = ()
    labels: Mapping[str, str | None] = {}
    threshold: float = Field(default=0.5, gt=0, le=1)
    multi_label: bool | None = None
    window: int | None = Field(default=None, ge=8)
    overlap: int | None = Field(default=None, ge=0)
    max_windows: int = Field(default=128, ge=1)
    device: str = Field(default="cpu", min_length=1)
    threads: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _positive_goes_with_numbers(self) -> Self:
        if self.gives == "number" and not self.positive:
            raise ValueError("`positive` is missing: the label, or list of labels, whose probability is the number")
        if self.gives != "number" and self.positive:
            raise ValueError(f"`positive` belongs to `gives: number`; leave it out, as `gives` is {self.gives}")
        return self

    def make(self, name: str, folder: Path) -> Metric:
        """The metric. Its model is loaded by `warm_up`, or on first use. A wrong path or label raises MetricError."""
        source = find(self.model, folder, revision=self.revision, device=self.device)
        config = source.config()
        answers = None if config is None else self.answers(config)
        reader = Reader(self, source)
        settings = self.model_dump_json(exclude={"device", "threads"})
        return Metric(
            name=name,
            measure=reader.measure,
            kind=self.gives,
            version=fingerprint(str(ALGORITHM), source.version, settings),
            cost=Cost.MODEL,
            labels=None if answers is None else frozenset(answers.names),
            windowed=self.gives != "label",
            description=f"{self.gives} by {self.model}",
            warm_up=reader.warm_up,
        )

    def answers(self, config: Config) -> Answers:
        """What the checkpoint answers, in this policy's words. Raises MetricError where it cannot."""
        answers = Answers.of(config, self.labels, self.multi_label)
        positive = (self.positive,) if isinstance(self.positive, str) else self.positive
        return answers.only(positive) if positive else answers

    def sizes(self, config: Config) -> tuple[int, int]:
        """Tokens of a window and of the overlap. Raises MetricError where the checkpoint cannot read so many."""
        window = self.window or config.longest
        if window is None:
            raise MetricError(f"'{self.model}' does not say how many tokens it takes; say it: `window: 512`")
        if config.longest is not None and window > config.longest:
            raise MetricError(f"'{self.model}' takes {config.longest} tokens; make `window` no larger")
        overlap = window // 8 if self.overlap is None else self.overlap
        if overlap >= window // 2:
            # Each token is read a bounded number of times, so the cost stays linear.
            raise MetricError(f"`overlap` must be under half of the window, that is under {window // 2}")
        return window, overlap


class Reader:
    """Reads texts by a classifier's settings. The model is loaded once, on first use."""

    def __init__(self, settings: Classifier, source: Source) -> None:
        self.settings = settings
        self.source = source

    @cached_property
    def model(self) -> Model:
        """The loaded checkpoint. Raises MetricError."""
        return self.source.load(self.settings.device, self.settings.threads)

    @cached_property
    def answers(self) -> Answers:
        """Raises MetricError where the settings do not fit the checkpoint."""
        return self.settings.answers(self.model.config)

    def warm_up(self) -> None:
        """Load the model and read something, so that what cannot work shows now. Raises MetricError."""
        try:
            self._score(self._windows("warm up"))
        except ValueError as error:
            raise MetricError(f"'{self.settings.model}' cannot be used: {error}") from error

    def measure(self, turn: Turn, side: Side) -> Measurement:
        """A failure where the side takes more than `max_windows`: it is never read in part."""
        left = self.settings.max_windows
        window, _ = self.settings.sizes(self.model.config)
        if sum(map(len, turn.passages(side))) > left * window * CHARACTERS:
            return Failure(self._too_long)

        def read(text: str) -> Score:
            nonlocal left
            windows = self._windows(text)
            left -= len(windows)
            if left < 0:
                raise ValueError(self._too_long)
            return self._score(windows)

        likeliest = self.settings.gives == "label"
        try:
            # A decoded view has no tone of its own: the likeliest label is that of the text as it stands.
            score = cast(Score, each_passage(read, decoded=not likeliest)(turn, side))
        except ValueError as error:
            return Failure(str(error))
        if not likeliest:
            return score
        # Nothing at all has a likeliest label too, but it must not compete with texts that say something.
        return _likeliest(score if score.spans else self._score([self.model.tokens.nothing]))

    @property
    def _too_long(self) -> str:
        return f"longer than {self.settings.max_windows} windows; raise `max_windows` to read it"

    def _windows(self, text: str) -> list[Window]:
        return self.model.tokens.windows(text, *self.settings.sizes(self.model.config))

    def _score(self, windows: list[Window]) -> Score:
        """The score of one text. Of kind label it is still a number, the likeliest label's: those can be merged."""
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
