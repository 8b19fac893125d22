"""A candidate beside the version in force: both decide the same turns, one for the answer, one off the hot path."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from guard.metrics import Measurements, Turn
from guard.metrics.measure import measure
from guard.policies import LoadedPolicy, PolicySet
from guard.policies.report import EVENTS, WAYS, Disagreement
from guard.stages import Decision, Stage, decide, needed
from guard.verdict import Verdict

log = logging.getLogger(__name__)

#: Turns that wait, and characters that they hold on to; more are dropped and counted.
WAITING = 500
WAITING_CHARACTERS = 16_000_000
#: Pairs of versions that are remembered; the oldest goes first.
KEPT = 20


@dataclass(slots=True)
class Tally:
    """How two versions of a policy decided the same turns: see `Disagreement`."""

    compared: int = 0
    disagreed: int = 0
    failed: int = 0
    dropped: int = 0
    ways: dict[str, int] = field(default_factory=dict)
    events: deque[str] = field(default_factory=lambda: deque(maxlen=EVENTS))


class Comparer:
    """Decides turns again by the rival of the policy that decided them. Use it as an async context manager.

    `policies` gives those in force now. What was measured is not measured again where both versions measure alike; what
    only the rival needs is measured later, one turn at a time. Nobody waits for it, and it acts on nothing.
    """

    def __init__(self, policies: Callable[[], PolicySet]) -> None:
        self._policies = policies
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self._waiting: deque[tuple[Verdict, Turn, LoadedPolicy, bool]] = deque()
        self._characters = 0
        self._come = asyncio.Event()

    def offer(self, verdict: Verdict, turn: Turn) -> None:
        """Take a turn that was decided, where its policy has a rival. Never waits."""
        policies = self._policies()
        rival = policies.rival(verdict.policy) if policies.rollouts else None
        if rival is None:
            return
        is_candidate = rival is policies.rollouts[rival.name].candidate
        if len(self._waiting) >= WAITING or self._characters + turn.characters > WAITING_CHARACTERS:
            self._tally(verdict.policy, rival, is_candidate).dropped += 1
            return
        self._characters += turn.characters
        self._waiting.append((verdict, turn, rival, is_candidate))
        self._come.set()

    def report(self) -> tuple[Disagreement, ...]:
        """How the versions compared so far."""
        return tuple(
            Disagreement(
                policy=policy,
                in_force=in_force,
                candidate=candidate,
                compared=tally.compared,
                disagreed=tally.disagreed,
                failed=tally.failed,
                dropped=tally.dropped,
                ways=dict(tally.ways),
                events=tuple(tally.events),
            )
            for (policy, in_force, candidate), tally in self._tallies.items()
        )

    async def __aenter__(self) -> Comparer:
        self._task = asyncio.create_task(self._work(), name="guard-compare")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._come.wait()
            while self._waiting:
                verdict, turn, rival, is_candidate = self._waiting[0]
                tally = self._tally(verdict.policy, rival, is_candidate)
                try:
                    other = await decided_by(rival, verdict, turn)
                except Exception as error:  # noqa: BLE001 - whatever a rival does, the next turn is compared
                    tally.failed += 1
                    log.warning("a turn could not be decided by %s: %s", rival.label, type(error).__name__)
                else:
                    pair = (verdict.decision, other) if is_candidate else (other, verdict.decision)
                    _count(tally, *pair, verdict.event)
                finally:
                    self._waiting.popleft()
                    self._characters -= turn.characters
            self._come.clear()

    def _tally(self, decider: LoadedPolicy, rival: LoadedPolicy, is_candidate: bool) -> Tally:
        in_force, candidate = (decider, rival) if is_candidate else (rival, decider)
        key = (in_force.name, in_force.label, candidate.label)
        if key not in self._tallies and len(self._tallies) >= KEPT:
            del self._tallies[next(iter(self._tallies))]
        return self._tallies.setdefault(key, Tally())


async def decided_by(rival: LoadedPolicy, verdict: Verdict, turn: Turn) -> Decision:
    """What another policy decides on a turn, with what was measured for `verdict` as far as it measures alike."""
    stage: Stage = rival.stage(verdict.decision.stage.kind)
    known: Measurements = {
        probe: measurement
        for probe, measurement in verdict.decision.measurements.items()
        if probe in stage.probes and _alike(probe.metric, rival, verdict.policy)
    }
    missing = needed(stage, known)
    if missing:
        await rival.ready()

        before = dict(known)
        more = await measure(
            missing, turn, rival.metrics, timeout=stage.timeout, needed=lambda more: needed(stage, {**before, **more})
        )
        known = {**before, **more}
    return decide(stage, known)


def _alike(metric: str, one: LoadedPolicy, other: LoadedPolicy) -> bool:
    return (
        metric in one.metrics
        and metric in other.metrics
        and one.metrics[metric].version == other.metrics[metric].version
    )


def _count(tally: Tally, in_force: Decision, candidate: Decision, event: str) -> None:
    tally.compared += 1
    before, after = _came_to(in_force), _came_to(candidate)
    if before == after:
        return
    tally.disagreed += 1
    tally.events.append(event)
    way = f"{in_force.stage.kind}: {before} → {after}"[:400]
    if way in tally.ways or len(tally.ways) < WAYS:
        tally.ways[way] = tally.ways.get(way, 0) + 1


def _came_to(decision: Decision) -> str:
    """What a caller would notice: what is done, and by which ruleset."""
    by = f" by {decision.ruleset.name}" if decision.ruleset else ""
    return f"{decision.action.type}{by}"
