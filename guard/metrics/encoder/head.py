"""Kind `head`: a head of the user's own on the shipped encoder's embedding, as `guard metrics train` fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from guard.errors import MetricError
from guard.metrics.encoder.facts import FOLDER, Facts, facts
from guard.metrics.encoder.head_file import HeadFile, read_head
from guard.metrics.encoder.model import encoder
from guard.metrics.encoder.reading import Floats, Reading, sigmoid, softmax
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Kind, Maker, Measure, Metric, each_passage
from guard.metrics.normalise import views
from guard.metrics.score import Score, Span, found
from guard.metrics.turn import Side, Turn

#: Goes into every version: raise it when the same file could give another score.
ALGORITHM = 1


class Head(Maker):
    """`file` is what `guard metrics train` wrote, a path relative to the policy.

    From `threshold` on a label is found, of a number its own name; default: what the file proposes.
    """

    kind: ClassVar[str] = "head"

    file: str = Field(min_length=1)
    threshold: float | None = Field(default=None, gt=0, le=1)

    def make(self, name: str, folder: Path) -> Metric:
        """The metric. Raises MetricError where the file is missing or was fitted on another encoder."""
        file = folder / self.file
        said, written = facts(FOLDER), read_head(file)
        _same_encoder(written, said, file)
        if written.gives == "label" and self.threshold is not None:
            raise MetricError(f"`threshold`: {file} gives the likeliest label, which has none; leave it out")
        own = Own.of(name, written, said, self.threshold)
        return Metric(
            name,
            own.measure,
            kind=own.gives,
            version=fingerprint(str(ALGORITHM), said.reads_as, written.model_dump_json(), str(self.threshold)),
            cost=Cost.MODEL,
            labels=frozenset(own.labels),
            windowed=own.gives != "label",
            across=own.gives != "label",
            shared=said.model,
            description=f"{own.gives} of a head of one's own, {self.file}",
            warm_up=lambda: own.measure(Turn.of("warm up"), "input"),
        )


def _same_encoder(written: HeadFile, said: Facts, file: Path) -> None:
    if dict(written.encoder.sha256) != dict(said.sha256):
        fix = f"fit it anew: guard metrics train {written.name} --data …"
        raise MetricError(f"{file} was fitted on {written.encoder.model}, and the encoder here is {said.model}; {fix}")


@dataclass(frozen=True, eq=False)
class Own:
    """A head ready to read: `weights` D x C, `biases` C, and a threshold a column unless it `gives` the likeliest."""

    gives: Kind
    labels: tuple[str, ...]
    thresholds: Floats
    weights: Floats
    biases: Floats
    model: str

    @classmethod
    def of(cls, name: str, written: HeadFile, said: Facts, threshold: float | None) -> Own:
        """The head under the policy's name for it, which is what a number calls what it finds."""
        proposed = np.array(written.thresholds, np.float32)
        return cls(
            written.gives,
            written.labels or (name,),
            proposed if threshold is None else np.full_like(proposed, threshold),
            written.table,
            np.array(written.biases, np.float32),
            said.model,
        )

    @property
    def measure(self) -> Measure:
        """Of a side of a turn."""
        return self._likeliest if self.gives == "label" else each_passage(self.read)

    def read(self, text: str) -> Score:
        """The highest probability of any window, for each column. Raises ValueError where the text is too long."""
        reading = encoder(FOLDER).read(text)
        table = sigmoid(self.logits(reading.embeddings))
        spans = [
            Span(*place, label, score)
            for place, row in zip(reading.windows, table, strict=True)
            for label, score, threshold in zip(self.labels, row.tolist(), self.thresholds, strict=True)
            if score >= threshold
        ]
        score = found(spans, model=self.model)
        if self.gives == "number":
            return replace(score, value=float(table.max(initial=0.0)))
        by_label = dict(zip(self.labels, table.max(axis=0, initial=0.0).tolist(), strict=True))
        return replace(score, by_label=by_label)

    def logits(self, embeddings: Floats) -> Floats:
        """Windows by columns."""
        return embeddings @ self.weights + self.biases

    def _likeliest(self, turn: Turn, side: Side) -> Score:
        """The likeliest label of a side's texts together, as they stand; of nothing at all it is empty."""
        texts = [views(passage, decoded=False, disguised=False)[0].text for passage in turn.passages(side)]
        mean = together([encoder(FOLDER).read(text) for text in texts])
        if mean is None:
            return Score("", model=self.model)
        by_label = dict(zip(self.labels, softmax(self.logits(mean)).tolist(), strict=True))
        return Score(max(by_label, key=lambda label: by_label[label]), model=self.model, by_label=by_label)


def together(readings: Sequence[Reading]) -> Floats | None:
    """The mean embedding of all windows by their tokens, D; None where there are none."""
    lengths = [length for reading in readings for length in reading.lengths]
    if not lengths:
        return None
    return np.average(np.concatenate([reading.embeddings for reading in readings]), axis=0, weights=lengths)
