"""What a windowed metric reads of a side, piece by piece, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from guard.metrics.metric import Cost, Metric, as_measurement
from guard.metrics.score import NOTHING, Failure, Measurement, Score, merged
from guard.metrics.seams import joined
from guard.metrics.turn import Side, Turn
from guard.metrics.verdicts import Verdicts

#: Sides whose texts come again with every turn of a conversation.
AGAIN: frozenset[Side] = frozenset({"input", "tool_result", "retrieval"})
#: Of those, the ones made of messages that follow each other.
IN_TURN: frozenset[Side] = frozenset({"input", "tool_result"})
#: A model reads a border only where it saw as much as this on one side of it. The parts of an attack are seldom quite
#: harmless to a model, and six of seven honest messages are; a pass would cost a third of that over a new one.
SLIGHT = 0.01


class Piece(NamedTuple):
    """A passage, by its number, or the border before it; `key` is what a verdict on it is kept by."""

    passage: int
    is_border: bool
    key: bytes


class Pieces:
    """The pieces of one side of a turn, for all metrics that read it: its passages and, looking back, their borders."""

    def __init__(self, turn: Turn, side: Side, verdicts: Verdicts, lookback: int) -> None:
        self.side: Side = side
        self.texts = turn.passages(side)
        self.characters = sum(map(len, self.texts))
        self.verdicts = verdicts
        self._lookback = lookback if side in IN_TURN else 0

    @cached_property
    def _digests(self) -> list[bytes]:
        return [self.verdicts.digest(text) for text in self.texts]

    @cached_property
    def ends(self) -> list[bytes]:
        """For each passage, what a verdict on the whole side up to and with it is kept by; of the first its own."""
        back = self._lookback.to_bytes(8, "big")
        return list(accumulate(self._digests, lambda before, own: self.verdicts.digest(before + back + own)))

    def since(self, metric: Metric, first: int) -> list[Piece]:
        """What a metric reads from a passage on."""
        pieces = [Piece(number, False, self._digests[number]) for number in range(first, len(self.texts))]
        if metric.across and self._lookback:
            # What is read at a border depends on nothing but the texts that the look goes back to.
            borders = ((number, self._digests[self._back(number) : number + 1]) for number, _, _ in pieces if number)
            pieces += [Piece(number, True, self.verdicts.digest(b"".join(digests))) for number, digests in borders]
        return pieces

    def read(self, metric: Metric, piece: Piece) -> Measurement:
        """What the metric says of a piece, with spans in passages counted from the piece's own."""
        if not piece.is_border:
            return self._measured(metric, self.texts[piece.passage])
        scores = []
        for one in joined(self.texts[self._back(piece.passage) : piece.passage + 1]):
            if metric.cost >= Cost.MODEL and self._is_slight(
                metric, [piece.passage + part.passage for part in one.parts]
            ):
                continue
            score = self._measured(metric, one.text)
            if isinstance(score, Failure):
                return score
            scores.append(one.located(score))
        return together(scores)

    def _back(self, number: int) -> int:
        return max(number - self._lookback, 0)

    def _is_slight(self, metric: Metric, passages: Iterable[int]) -> bool:
        """Whether the metric saw next to nothing in any of these passages; one it has not read may hold anything."""
        scores = (self.verdicts.get(metric, self._digests[passage]) for passage in passages)
        return all(score is not None and _highest(score) < SLIGHT for score in scores)

    def _measured(self, metric: Metric, text: str) -> Measurement:
        return as_measurement(metric.measure(Turn.of(text, self.side), self.side), metric.kind)


class Reading:
    """A metric's reading of a side: what it has read before is known."""

    def __init__(self, metric: Metric, pieces: Pieces) -> None:
        self.metric = metric
        self.pieces = pieces
        self.stopped = False

    @cached_property
    def _known(self) -> tuple[int, Score]:
        """How many passages from the first on were read together before, and what was said of them."""
        for number in range(len(self.pieces.ends), 0, -1):
            score = self.pieces.verdicts.get(self.metric, self.pieces.ends[number - 1])
            if score is not None:
                return number, score
        return 0, NOTHING

    @cached_property
    def _rest(self) -> dict[Piece, Score | None]:
        """The other pieces, with what was said of each by itself."""
        rest = self.pieces.since(self.metric, self._known[0])
        return {piece: self.pieces.verdicts.get(self.metric, piece.key) for piece in rest}

    @property
    def unread(self) -> list[Piece]:
        """What is left to read."""
        return [piece for piece, score in self._rest.items() if score is None]

    def __call__(self) -> Measurement:
        """Read what is left, and put all together. What was read stays known, also where the rest is stopped."""
        verdicts = self.pieces.verdicts
        for piece in self.unread:
            if self.stopped:
                return Failure(f"{self.metric.name} was stopped", timed_out=True)
            # The same text may stand there twice.
            score = verdicts.get(self.metric, piece.key) or self.pieces.read(self.metric, piece)
            if isinstance(score, Failure):
                return score
            verdicts.put(self.metric, piece.key, score)
            self._rest[piece] = score
        if not self._rest:
            return self._known[1]
        rest = (_placed(score, piece.passage) for piece, score in self._rest.items() if score is not None)
        score = together((self._known[1], *rest))
        verdicts.put(self.metric, self.pieces.ends[-1], score)
        return score


def together(scores: Iterable[Score]) -> Score:
    """The scores merged, without those that say nothing."""
    return merged([score for score in scores if score != NOTHING] or [NOTHING])


def _highest(score: Score) -> float:
    """The highest probability of anything in a score; 1 where it gives none."""
    numbers = [score.value] if isinstance(score.value, (int, float)) else score.by_label.values()
    return max(numbers, default=1.0)


def _placed(score: Score, passage: int) -> Score:
    """The score with its spans' passages counted from the first of the side."""
    if not passage or not score.spans:
        return score
    return replace(score, spans=tuple(replace(span, passage=span.passage + passage) for span in score.spans))
