"""What is still to be done for each measurement of a stage, and whether it is little enough for the event loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from guard.metrics.metric import Cost, Metric
from guard.metrics.pieces import AGAIN, Pieces, Reading
from guard.metrics.score import Measurement, Probe
from guard.metrics.selection import Selection, select
from guard.metrics.selector import Selector
from guard.metrics.turn import Side, Turn
from guard.metrics.verdicts import FAR, Verdicts

#: Up to this many characters, metrics that cost microseconds run on the loop: a hop to a thread would cost more.
INLINE_CHARACTERS = 4_000
#: ... as long as they are in no more passages than this: an empty one costs its microseconds too.
INLINE_PASSAGES = 100
#: What was read before costs a look into a dictionary: so many passages and characters of it are no work for a thread.
KNOWN_PASSAGES, KNOWN_CHARACTERS = 1_000, 500_000
#: Up to so many characters of a turn are parsed for selectors on the loop, in some milliseconds.
SELECTED_INLINE = 100_000
#: Of a long history others may know all but the last so many passages.
LATEST = 4


@dataclass(frozen=True, slots=True)
class Work:
    """One metric on one side: `run` gives its measurement, or something to await."""

    metric: Metric
    run: Callable[[], Any]
    inline: bool

    def stop(self) -> None:
        """Read nothing more: nobody waits for it any longer."""
        if isinstance(self.run, Reading):
            self.run.stopped = True


class Plan:
    """The work of one stage on a turn."""

    def __init__(self, turn: Turn, sides: Collection[Side], verdicts: Verdicts | None, lookback: int) -> None:
        self._turn = turn
        self._sides = frozenset(sides)
        self._verdicts = verdicts
        self._lookback = lookback
        self._pieces: dict[Side, Pieces] = {}
        self._selected: dict[tuple[Side, Selector], tuple[Selection | None, Plan]] = {}

    def select(self, probes: Iterable[Probe]) -> None:
        """Choose what probes with a selector read. Others need not be given."""
        for _, side, only in probes:
            if only is not None and (side, only) not in self._selected:
                selection = select(self._turn, side, only)
                plan = Plan(selection.turn, [side], self._verdicts, self._lookback) if selection else self
                self._selected[side, only] = (selection, plan)

    @property
    def selects_at_once(self) -> bool:
        """Whether choosing is so little that no thread is needed."""
        return self._turn.characters <= SELECTED_INLINE

    def located(self, probe: Probe, measurement: Measurement) -> Measurement:
        """What was measured, with spans where they stand in the whole side."""
        assert probe.only is not None
        selection, _ = self._selected.get((probe.of, probe.only), (None, self))
        return measurement if selection is None else selection.located(measurement)

    def work(self, metric: Metric, probe: Probe) -> Work | None:
        """What a metric has to do for a probe; None where a selector leaves it nothing to read."""
        if probe.only is None:
            return self._work(metric, probe.of)
        selection, plan = self._selected[probe.of, probe.only]
        return None if selection is None else plan._work(metric, probe.of)

    def _work(self, metric: Metric, side: Side) -> Work:
        # What is awaited is no work for a thread, piece by piece.
        pieces = self._side(side) if metric.windowed and not metric.waits and side in AGAIN else None
        if pieces is not None and pieces.texts:
            reading = Reading(metric, pieces)
            return Work(metric, reading, inline=_is_little(reading))
        free = metric.cost == Cost.FREE and not metric.waits
        return Work(metric, partial(metric.measure, self._turn, side), inline=free and self._is_short)

    async def fetch(self, wanted: Collection[tuple[Metric, Probe]]) -> None:
        """Get what other processes know of what these have still to read. Bounded in time, and never fails."""
        if self._verdicts is None or self._verdicts.far is None:
            return
        works = [self.work(metric, probe) for metric, probe in wanted if metric.cost >= FAR]
        left = [work.run for work in works if work and isinstance(work.run, Reading) and work.run.unread]
        ends = [(reading.metric, end) for reading in left for end in reading.pieces.ends[-LATEST:]]
        await self._verdicts.fetch([*ends, *((one.metric, piece.key) for one in left for piece in one.unread)])

    def _side(self, side: Side) -> Pieces | None:
        if self._verdicts is not None and side not in self._pieces:
            self._pieces[side] = Pieces(self._turn, side, self._verdicts, self._lookback)
        return self._pieces.get(side)

    @cached_property
    def _is_short(self) -> bool:
        passages = [text for side in self._sides for text in self._turn.passages(side)]
        # A metric of the whole turn may read what is on no side here; definitions of tools are only on one.
        most = max(self._turn.characters, sum(map(len, passages)))
        return most <= INLINE_CHARACTERS and len(passages) <= INLINE_PASSAGES


def _is_little(reading: Reading) -> bool:
    """Whether what a reading has left, with looking up the rest, is no work for a thread."""
    pieces = reading.pieces
    if len(pieces.texts) > KNOWN_PASSAGES or pieces.characters > KNOWN_CHARACTERS:
        return False
    unread = reading.unread
    if not unread or reading.metric.cost > Cost.FREE:
        return not unread
    characters = sum(len(pieces.texts[piece.passage]) for piece in unread)
    return characters <= INLINE_CHARACTERS and len(unread) <= INLINE_PASSAGES
