"""Kind `token_classifier`: any token-classification checkpoint, which finds entities and says where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias, cast

import numpy as np
from pydantic import Field

from guard.metrics.answers import known
from guard.metrics.checkpoint import Config, Source, Task
from guard.metrics.encoder.reading import joined
from guard.metrics.local_model import Allowance, LocalModel, Reader
from guard.metrics.metric import Cost, Metric, each_passage
from guard.metrics.score import Failure, Measurement, Score, Span, found
from guard.metrics.tags import Numbers, Tags
from guard.metrics.tokens import Pieces
from guard.metrics.turn import Side, Turn
from guard.metrics.words import Word, words

Threshold: TypeAlias = Annotated[float, Field(gt=0, le=1)]


class TokenClassifier(LocalModel):
    """`labels` renames the labels of the checkpoint's entities (`PER`, whatever tags stand before it), several to the
    same name, or drops them (null). A word is of the likeliest label that reaches `threshold`, or what `thresholds` say
    for its new name. `aggregation` makes one probability of a word from those of its tokens.
    """

    kind: ClassVar[str] = "token_classifier"
    task: ClassVar[Task] = "token-classification"
    algorithm: ClassVar[int] = 1

    labels: Mapping[str, str | None] = {}
    threshold: Threshold = 0.5
    thresholds: Mapping[str, Threshold] = {}
    aggregation: Literal["first", "average", "max"] = "first"

    def make(self, name: str, folder: Path) -> Metric:
        """The metric. Its model is loaded by `warm_up`, or on first use. A wrong path or label raises MetricError."""
        source = self.source(folder)
        config = source.config()
        tags = None if config is None else self.tags(config)
        reader = TokenReader(self, source)
        return Metric(
            name=name,
            measure=reader.measure,
            kind="labels",
            version=self.version(source),
            cost=Cost.MODEL,
            labels=None if tags is None else frozenset(tags.names),
            windowed=True,
            description=f"entities by {self.model}",
            warm_up=reader.warm_up,
        )

    def tags(self, config: Config) -> Tags:
        """What the checkpoint answers, in this policy's words. Raises MetricError where it cannot."""
        tags = Tags.of(config, self.labels)
        known(self.thresholds, tags.names)
        return tags


class TokenReader(Reader):
    """Reads texts by a token classifier's settings."""

    def __init__(self, settings: TokenClassifier, source: Source) -> None:
        super().__init__(settings, source)
        self.settings = settings

    @cached_property
    def tags(self) -> Tags:
        """Raises MetricError where the settings do not fit the checkpoint."""
        return self.settings.tags(self.model.config)

    def measure(self, turn: Turn, side: Side) -> Measurement:
        """A failure where the side takes more than `max_windows`: it is never read in part."""
        try:
            allowance = self.allowance(turn, side)
            # Numbers are entities too, and a disguise that is undone turns them into letters.
            passages = each_passage(lambda text: self.read(text, allowance), disguised=False)
            return cast(Score, passages(turn, side))
        except ValueError as error:
            return Failure(str(error))

    def read(self, text: str, allowance: Allowance) -> Score:
        """The entities of one text, in order and without overlaps."""
        window, overlap = self.sizes
        try:
            pieces = self.model.tokens.pieces(text, allowance.left * window)
        except ValueError as error:
            raise allowance.exceeded from error
        ranges = pieces.ranges(window - self.model.tokens.special, overlap)
        allowance.take(len(ranges))
        if not ranges:
            return found((), model=self.settings.model)
        begins, inside = self.tags.probabilities(self._logits(pieces, ranges))
        return self._score(words(text, pieces), begins, inside)

    def _logits(self, pieces: Pieces, ranges: Sequence[tuple[int, int]]) -> Numbers:
        """The model's answers, tokens by labels; of a token in two windows, where it stands farther from the edge."""
        tokens = self.model.tokens
        windows = [tokens.window(pieces, *place) for place in ranges]
        answers = self.model.token_logits(windows)
        for window, answer in zip(windows, answers, strict=True):
            if answer.shape != (len(window.ids), self.tags.count):
                raise ValueError(
                    f"the model answered in the shape {answer.shape} about {len(window.ids)} tokens, "
                    f"but its config names {self.tags.count} labels; take one for token classification"
                )
        own = slice(tokens.before, tokens.before - tokens.special or None)
        return joined(ranges, [answer[own] for answer in answers])

    def _score(self, among: Sequence[Word], begins: Numbers, inside: Numbers) -> Score:
        names, settings = self.tags.names, self.settings
        firsts = [word.first for word in among]
        shares = np.minimum(_aggregated(begins + inside, firsts, settings.aggregation), 1)
        by_label = dict(zip(names, shares.max(axis=0).tolist(), strict=True))
        thresholds = [settings.thresholds.get(name, settings.threshold) for name in names]
        reached = np.where(shares >= np.array(thresholds, np.float32), shares, 0)
        opens = np.where(begins[firsts] > inside[firsts], reached, 0)
        return replace(found(_entities(among, reached, opens, names), model=settings.model), by_label=by_label)


def _aggregated(tokens: Numbers, firsts: Sequence[int], how: str) -> Numbers:
    """Words by labels, from tokens by labels and the number of each word's first token."""
    if how == "first":
        return tokens[firsts]
    if how == "max":
        return np.maximum.reduceat(tokens, firsts)
    lengths = np.diff(firsts, append=len(tokens))
    return (np.add.reduceat(tokens, firsts) / lengths[:, None]).astype(np.float32)


def _entities(among: Sequence[Word], reached: Numbers, opens: Numbers, names: tuple[str, ...]) -> list[Span]:
    """Words of one label that follow each other are one entity, unless one rather opens another.

    The score is the mean of the words'.
    """
    entities: list[list[tuple[Word, float]]] = []
    labels: list[str] = []
    last = None
    rows = zip(among, reached.argmax(axis=1).tolist(), reached.max(axis=1).tolist(), strict=True)
    for number, (word, column, share) in enumerate(rows):
        if word.start == word.end:
            continue
        label = column if share else None
        if label is not None:
            if label != last or opens[number, label]:
                entities.append([])
                labels.append(names[label])
            entities[-1].append((word, share))
        last = label
    return [
        Span(entity[0][0].start, entity[-1][0].end, label, sum(share for _, share in entity) / len(entity))
        for entity, label in zip(entities, labels, strict=True)
    ]
