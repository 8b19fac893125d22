"""What a streamed answer brings that is no text: counted, and held until the stage `output` lets it go."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter

from guard.guard import Exchange, Verdict
from guard.metrics import Turn
from guard.metrics.unread import NAME
from guard.stages import Stage


class Unread:
    """The pictures, sounds and files of one answer.

    Rulesets that ask only for them, and whose turn it is, decide as soon as a new kind comes. Those that ask for the
    text too decide at its end: until then what is no text waits, and all behind it.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._seen: set[Hashable] = set()
        self._over = self._decided = False

    @cached_property
    def _stage(self) -> Stage:
        """The stage with only the rulesets that ask what cannot be read; with none where all goes out unread."""
        stage = self._exchange.policy.stage("output")
        fields = {name: getattr(stage, name) for name in stage.model_fields_set}
        asking = (
            ruleset
            for ruleset, tests in (stage.compiled if stage.stream != "observe" else ())
            if any(probe.metric == NAME and probe.of == "output" for probe, _ in tests)
        )
        return Stage.model_validate({**fields, "rulesets": tuple(asking)})

    @cached_property
    def _at_once(self) -> bool:
        metrics = self._exchange.policy.metrics
        return all(metrics[probe.metric].of_turn for probe in self._stage.probes)

    @property
    def ready(self) -> bool:
        """Whether what has come may go out, as far as this is asked."""
        return self._at_once or self._over

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have come, each once."""
        return tuple(self._exchange.unread_output)

    def add(self, found: Iterable[tuple[Hashable, str]]) -> tuple[bool, int]:
        """Count what is new; whether there is a kind among it that was not there before, and how many there are."""
        known, before = len(self._exchange.unread_output), len(self._seen)
        for key, kind in found:
            if (key, kind) not in self._seen:
                self._seen.add((key, kind))
                self._exchange.unread_output[kind] += 1
        return len(self._exchange.unread_output) > known, len(self._seen) - before

    async def check(self, turn: Turn) -> Verdict | None:
        """Decide on the kinds that `turn` names where that can be told by now; the verdict that ends the answer."""
        return await self._check(replace(turn, output=())) if self._at_once else None

    async def finish(self, turn: Turn) -> Verdict | None:
        """Decide on what had to wait for all texts, which `turn` holds; the verdict that ends the answer.

        Where there are none, this is also all that the stage has to decide on, and to record.
        """
        if not turn.unread_output:
            return None
        waiting, self._over = not self.ready, True
        if waiting and turn.output:
            return await self._check(turn)
        if turn.output or self._decided or not self._exchange.policy.has("output"):
            return None
        observed = self._exchange.policy.stage("output").stream == "observe"
        verdict = await self._exchange.check(turn, "output", observed=observed)
        return None if verdict.allowed else verdict

    async def _check(self, turn: Turn) -> Verdict | None:
        if not self._stage.probes:
            return None
        self._decided = True
        started = perf_counter()
        measurements = await self._exchange.measure(self._stage, turn)
        verdict = self._exchange.in_time(self._exchange.conclude(self._stage, turn, measurements, started))
        return None if verdict.allowed else verdict


@dataclass(slots=True)
class UnreadPiece:
    """What of an event is no text."""

    unread: Unread
    begun = False

    @property
    def ready(self) -> bool:
        """Whether it may leave."""
        return self.unread.ready

    def write(self) -> None:
        """Nothing is changed in it."""
