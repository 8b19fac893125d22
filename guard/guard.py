"""The hot path: measure → decide → act → record, the same for every stage, protocol and caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from secrets import token_bytes
from time import perf_counter
from typing import Any

from guard.errors import Overloaded
from guard.listeners import Compares, Notifies, Observer, Policies, Recorder
from guard.loop import run
from guard.metrics import ASKED, Measurements, Probe, Side, Turn
from guard.metrics.measure import Needed, measure
from guard.metrics.verdicts import Verdicts
from guard.policies import LoadedPolicy
from guard.stages import Decision, Override, Redact, Stage, decide, needed
from guard.stages.placeholders import Placeholders
from guard.stages.redact import redacted
from guard.store.event import Event, new_id
from guard.verdict import Verdict

#: Where nobody gives a key.
_KEY = token_bytes(32)


@dataclass(slots=True)
class Exchange:
    """One request and its answer, through all their stages. Keeps what the stages share: policy, id, placeholders."""

    guard: Guard
    policy: LoadedPolicy
    labels: Mapping[str, str]
    request: str = field(default_factory=new_id)
    placeholders: Placeholders = field(default_factory=Placeholders)
    verdicts: list[Verdict] = field(default_factory=list)
    started: float = field(default_factory=perf_counter)
    #: How many parts of the request, and of the answer, are no text, so that nobody reads them, by kind.
    unread: Counter[str] = field(default_factory=Counter)
    unread_output: Counter[str] = field(default_factory=Counter)

    async def check(self, turn: Turn, kind: Side, *, observed: bool = False) -> Verdict:
        """Check one side of a turn by the policy's stage of that kind; `observed`: without enforcing any of it.

        Raises Overloaded where a check that could not be begun would be answered, and the guard has a `line`.
        """
        started = perf_counter()
        stage = self.policy.stage(kind)
        stage = stage.observed if observed else stage
        turn = turn.reading(self.policy.reads)
        measurements = await self.measure(stage, turn)
        return self.in_time(self.conclude(stage, turn, measurements, started))

    def in_time(self, verdict: Verdict) -> Verdict:
        """The verdict, unless it only says that the guard has too much to do. Raises Overloaded then."""
        if self.guard.line is not None and verdict.decision.unstarted:
            raise Overloaded("more is to be measured than can be in time; try again", over="measurements")
        return verdict

    async def check_each(self, turn: Turn, kinds: Iterable[Side]) -> tuple[Turn, Verdict | None]:
        """The turn to go on with after the policy's stages of these kinds, and the verdict that ends it, if any."""
        turn = turn.reading(self.policy.reads)
        for kind in kinds:
            if self.policy.has(kind) and turn.holds(kind):
                verdict = await self.check(turn, kind)
                turn = verdict.turn
                if not verdict.allowed:
                    return turn, verdict
        return turn, None

    async def measure(
        self, stage: Stage, turn: Turn, probes: Collection[Probe] | None = None, still: Needed | None = None
    ) -> Measurements:
        """What the stage needs to know about the turn, within its timeout: by default all that can still matter.

        `probes` and `still` choose otherwise. Raises PolicyError where what the policy measures with cannot be loaded.
        """
        await self.policy.ready()
        if probes is None:
            probes, still = stage.probes, None if self.guard.measure_all else partial(needed, stage)
        return await measure(
            probes,
            turn,
            self.policy.metrics,
            timeout=stage.timeout,
            needed=still,
            verdicts=self.guard.verdicts,
            lookback=stage.lookback,
            # Only what is new is turned away: of an answer that a provider has been paid for, the rest is waited for.
            line=self.guard.line if stage.kind in ASKED else None,
        )

    def conclude(self, stage: Stage, turn: Turn, measurements: Measurements, started: float) -> Verdict:
        """Decide on what was measured since `started` (perf_counter), act, and record."""
        decision = decide(stage, measurements)
        after, reply = self._act(decision, turn)
        millis = (perf_counter() - started) * 1000
        verdict = Verdict(decision, after, reply, new_id(), self.policy, millis, decision.read(turn))
        self.verdicts.append(verdict)
        self.guard.record(self, verdict, turn)
        return verdict

    def _act(self, decision: Decision, turn: Turn) -> tuple[Turn, str | None]:
        """The turn to go on with, and the reply to give instead where there is one."""
        action, kind = decision.action, decision.stage.kind
        if isinstance(action, Override):
            return turn, action.choose(self.guard.random)
        if isinstance(action, Redact):
            # Whoever wrote what looks like a placeholder, on whichever side: it must not come to mean another's value.
            self.placeholders.avoid(turn.texts)
            texts = redacted(decision, turn.passages(kind), self.placeholders)
            if texts is None:  # what cannot be redacted must not be passed on
                return turn, decision.stage.refusal
            # Earlier answers hold what was put back into them for the user to see.
            return turn.with_passages(kind, texts).with_history(self.placeholders.hide), None
        return turn, None


class Guard:
    """Checks turns by policies and records every decision.

    The constructor only keeps. `policies` is a policy, a set or a live source; `recorder` takes the events (default:
    they are dropped); `notifier` tells the policies' subscribers; `observer` is told of everything as it happens;
    `comparer` has turns decided by candidates too; `random` picks among override choices (seed it to repeat a run);
    `measure_all` measures also what can no longer change the decision, for recordings that other policies will be tried
    on; `project` is what events are recorded under; `verdicts` keeps what was said of texts that come again (default:
    its own); `key` draws pseudonyms and fakes (default: another one in each process); `line`: so many measurements may
    wait for a thread before requests are refused as Overloaded (default: none are, and what is not begun is late).
    """

    def __init__(
        self,
        policies: Policies,
        *,
        recorder: Recorder | None = None,
        notifier: Notifies | None = None,
        observer: Observer | None = None,
        comparer: Compares | None = None,
        random: Random | None = None,
        measure_all: bool = False,
        project: str = "default",
        verdicts: Verdicts | None = None,
        key: str = "",
        line: int | None = None,
    ) -> None:
        self.policies = policies
        self.recorder = recorder
        self.notifier = notifier
        self.observer = observer
        self.comparer = comparer
        #: How the stages came out since the start, by status.
        self.statuses: Counter[str] = Counter()
        self.random = random or Random()
        self.measure_all = measure_all
        self.project = project
        self.verdicts = verdicts or Verdicts()
        self.key = key.encode() or _KEY
        self.line = line

    def exchange(self, *, app: str = "", model: str = "", route: str = "", policy: str = "", **labels: str) -> Exchange:
        """A new request under the policy that applies to it, or that is named. Raises NoPolicy where there is none."""
        who = {name: labels.get(name, "") for name in ("user", "session")}
        chosen = self.policies.select(app, model, route, name=policy, **who)
        # Whoever names the same session is not the same for it: no user's stand-ins are another's.
        session = who["session"] and "\0".join((app, labels.get("key", ""), who["user"], who["session"]))
        exchange = Exchange(self, chosen, {"app": app, "model": model, **labels})
        exchange.placeholders = Placeholders(self.key, session)
        if self.observer is not None:
            self.observer.began(exchange)
        return exchange

    async def acheck(
        self, value: Turn | str | Sequence[Mapping[str, Any]], stage: Side = "input", *, app: str = "", **labels: str
    ) -> Verdict:
        """Check a text, a list of chat messages or a turn by one stage. Raises NoPolicy where no policy applies."""
        exchange = self.exchange(app=app, **labels)
        return await exchange.check(Turn.of(value, stage, app=app, **labels), stage)

    def check(
        self, value: Turn | str | Sequence[Mapping[str, Any]], stage: Side = "input", *, app: str = "", **labels: str
    ) -> Verdict:
        """`acheck` for code that cannot await."""
        return run(self.acheck(value, stage, app=app, **labels))

    def record(self, exchange: Exchange, verdict: Verdict, turn: Turn) -> None:
        """Hand a verdict to those who listen, the recorder and subscribers; events are made there, off the hot path."""
        self.statuses[verdict.decision.status] += 1
        if self.observer is not None:
            self.observer.concluded(exchange, verdict)
        if self.comparer is not None:
            self.comparer.offer(verdict, turn)
        if self.recorder is None and self.notifier is None:
            return
        kind = verdict.decision.stage.kind
        make = partial(
            Event.of,
            verdict.decision,
            turn,
            id=verdict.event,
            request=exchange.request,
            project=self.project,
            app=exchange.labels.get("app", ""),
            policy=verdict.policy.name,
            revision=verdict.policy.revision,
            millis=verdict.millis,
            unread=dict(exchange.unread if kind in ASKED else exchange.unread_output if kind == "output" else ()),
        )
        if self.recorder is not None:
            self.recorder.add(make, turn.characters)
        if self.notifier is not None and (subscriptions := verdict.decision.subscriptions):
            self.notifier.tell(subscriptions, make, turn.characters)
