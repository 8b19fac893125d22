"""A head that gives a number, as a metric: the highest of any window, with what offends named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from guard.errors import MetricError
from guard.metrics.encoder.facts import EVEN, FOLDER, MEND, Facts, facts
from guard.metrics.encoder.marks import marked
from guard.metrics.encoder.model import Encoder, encoder
from guard.metrics.encoder.reading import Floats, Reading
from guard.metrics.encoder.sentences import sentences
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Metric, each_passage
from guard.metrics.overlaps import joined
from guard.metrics.score import Score, Span

#: Goes into every version: raise it when the same model could give another score.
ALGORITHM = 1


def number(name: str, description: str, folder: Path = FOLDER, *, across: bool = False) -> Metric:
    """The metric of a head. The model is loaded by `warm_up`, or on first use. Raises MetricError."""
    said = facts(folder)
    head = Number.of(name, said)

    def read(text: str) -> Score:
        return head.read(text, encoder(folder))

    return Metric(
        name,
        each_passage(read),
        version=fingerprint(str(ALGORITHM), said.model, said.reads_as, said.heads[name].model_dump_json()),
        cost=Cost.MODEL,
        labels=head.names,
        windowed=True,
        across=across,
        shared=said.model,
        description=description,
        warm_up=lambda: read("warm up"),
    )


@dataclass(frozen=True, eq=False)
class Number:
    """Where the numbers of a head stand: its own first, then one a label; and when labels count, by label."""

    name: str
    model: str
    columns: list[int]
    labels: tuple[str, ...]
    thresholds: Floats
    floors: Floats
    names_one: bool
    mark: int | None

    @property
    def names(self) -> frozenset[str]:
        """What it may call what it finds: its labels, or its own name where it has none."""
        return frozenset(self.labels or (self.name,))

    @classmethod
    def of(cls, name: str, said: Facts) -> Number:
        """Raises MetricError where the model has no such head."""
        head = said.heads.get(name)
        if head is None or head.kind != "number":
            raise MetricError(f"the model {said.model} gives no number '{name}'; {MEND}")
        names = [name, *(f"{name}/{label}" for label in head.labels)]
        return cls(
            name,
            said.model,
            [said.columns.index(column) for column in names],
            tuple(head.labels),
            np.array([label.threshold for label in head.labels.values()], np.float32),
            np.array([label.floor for label in head.labels.values()], np.float32),
            head.names_one,
            said.mark(name),
        )

    def read(self, text: str, model: Encoder) -> Score:
        """The score of one text, read whole. Raises ValueError where it is too long for that."""
        reading = model.read(text)
        table = reading.probabilities[:, self.columns]
        own = table[:, 1:] * table[:, :1] if self.names_one else table[:, 1:]
        by_label = dict(zip(self.labels, own.max(axis=0, initial=0.0).tolist(), strict=True))
        value = float(table[:, 0].max(initial=0.0))
        windows = np.flatnonzero(self._offends(table)).tolist()
        found = joined(span for window in windows for span in self._spans(text, model, reading, window))
        spans = sorted(found, key=lambda span: (span.start, span.end))
        # What offends in no way of its own is marked with the head's name, which is none of its labels.
        labels = tuple(dict.fromkeys(span.label for span in spans if span.label in self.names))
        return Score(value, labels, tuple(spans), model=self.model, by_label=by_label)

    def _offends(self, table: Floats) -> np.ndarray:
        said = (table[:, 1:] >= self.thresholds) & (table[:, :1] >= self.floors)
        return (table[:, 0] >= EVEN) | said.any(axis=1)

    def _named(self, row: Floats) -> dict[str, float]:
        """The labels of an offending stretch with their scores, from its own number and one a label; else none."""
        found = {
            label: float(row[0] if self.names_one else score)
            for label, score, threshold, floor in zip(self.labels, row[1:], self.thresholds, self.floors, strict=True)
            if score >= threshold and row[0] >= floor
        }
        if not found and row[0] >= EVEN:
            likeliest = self.labels[int(row[1:].argmax())] if self.names_one else self.name
            found = {likeliest: float(row[0])}
        return found

    def _spans(self, text: str, model: Encoder, reading: Reading, window: int) -> Iterator[Span]:
        """Where an offending window offends: the marked words, else the sentences that do so when read by themselves,
        else the window. A label stands at the sentences that have it too, or where none has at all of those."""
        row = reading.probabilities[window, self.columns]
        named = self._named(row)
        if self.mark is not None and row[0] >= EVEN:
            tokens = slice(*reading.ranges[window])
            marks = marked(reading.tokens[tokens, self.mark] >= 0, reading.words[tokens], reading.offsets[tokens])
            if marks:
                yield from (Span(*place, label, score) for place in marks for label, score in named.items())
                return
        start, end = reading.windows[window]
        within = [(start + first, start + last) for first, last in sentences(text[start:end])]
        alone = {place: self._alone(text[slice(*place)], model) for place in within} if len(within) > 1 else {}
        places = {place: found for place, found in alone.items() if found} or {(start, end): named}
        for label, score in named.items():
            having = [place for place, found in places.items() if label in found]
            yield from (Span(*place, label, places[place].get(label, score)) for place in having or places)

    def _alone(self, sentence: str, model: Encoder) -> dict[str, float]:
        table = model.read(sentence).probabilities[:, self.columns]
        return self._named(table.max(axis=0, initial=0.0))
