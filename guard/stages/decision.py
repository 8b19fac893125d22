"""The decision. Pure: scores in, decision out; no clock, network or model, so recorded scores can be decided again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from guard.metrics.score import Failure, Measurement, Measurements, Probe, Score
from guard.metrics.turn import Side, Turn
from guard.stages.action import Action, Override, Passthrough, Redact, Status, Subscription
from guard.stages.rule import Rule
from guard.stages.ruleset import Ruleset
from guard.stages.stage import Stage

#: A check that could not be made. `on_failure` says what it means; nothing turns it into "safe".
UNRESOLVED = frozenset({Status.FAILED, Status.ERROR, Status.TIMEOUT})


class RuleOutcome(NamedTuple):
    """One rule: what it asked, what was measured (None: not needed), and how it came out."""

    rule: Rule
    probe: Probe
    measurement: Measurement | None
    status: Status


class RulesetOutcome(NamedTuple):
    """One ruleset, with its rules in order."""

    ruleset: Ruleset
    status: Status
    rules: tuple[RuleOutcome, ...]


class Coverage(NamedTuple):
    """Which of a stage's measurements were run, left out as not needed, failed, or late."""

    run: tuple[Probe, ...]
    skipped: tuple[Probe, ...]
    failed: tuple[Probe, ...]
    late: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a stage decided. `ruleset` is the one whose action applies, `blocked` that nothing may be passed on."""

    stage: Stage
    status: Status
    action: Action
    ruleset: Ruleset | None
    outcomes: tuple[RulesetOutcome, ...]
    measurements: Measurements

    @property
    def blocked(self) -> bool:
        """Whether the text is not passed on: an override, or a failed check under `on_failure: block`."""
        return isinstance(self.action, Override)

    @property
    def unstarted(self) -> bool:
        """Whether the text is not passed on because a check was never begun, for want of a free thread."""
        return self.status in UNRESOLVED and any(
            isinstance(rule.measurement, Failure) and rule.measurement.unstarted
            for outcome in self.outcomes
            if outcome.ruleset is self.ruleset
            for rule in outcome.rules
        )

    @property
    def triggered(self) -> tuple[Ruleset, ...]:
        """Every triggered ruleset, observed ones too, in order."""
        return tuple(outcome.ruleset for outcome in self.outcomes if outcome.status == Status.TRIGGERED)

    @property
    def redactions(self) -> tuple[RulesetOutcome, ...]:
        """The triggered rulesets whose redaction applies: all enforced ones, once the action is a redact."""
        if not isinstance(self.action, Redact):
            return ()
        return tuple(outcome for outcome in self.outcomes if _redacts(outcome))

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Who is to be told: each subscription of a ruleset that came out with a status it waits for."""
        if self.status == Status.PAUSED:
            written = [(ruleset, Status.PAUSED) for ruleset in self.stage.rulesets]
        else:
            written = [(outcome.ruleset, outcome.status) for outcome in self.outcomes]
        return tuple(
            subscription
            for ruleset, status in written
            for subscription in ruleset.action.subscriptions
            if status in subscription.statuses
        )

    def read(self, turn: Turn) -> dict[Side, int]:
        """How many characters of each side of the turn a metric read; of those that chose what they read the most."""
        chosen: dict[Side, int | None] = {}
        for probe, measurement in self.measurements.items():
            if isinstance(measurement, Score):
                most, own = chosen.get(probe.of, 0), measurement.characters
                chosen[probe.of] = None if most is None or own is None else max(most, own)
        return {side: sum(map(len, turn.passages(side))) if most is None else most for side, most in chosen.items()}

    @property
    def coverage(self) -> Coverage:
        """What was measured, from the measurements and the stage's probes."""
        run, skipped, failed, late = [], [], [], []
        for probe in self.stage.probes:
            measurement = self.measurements.get(probe)
            if measurement is None:
                skipped.append(probe)
            elif isinstance(measurement, Failure):
                (late if measurement.timed_out else failed).append(probe)
            else:
                run.append(probe)
        return Coverage(tuple(run), tuple(skipped), tuple(failed), tuple(late))


def decide(stage: Stage, measurements: Measurements) -> Decision:
    """Decide a stage from what was measured.

    The first enforced ruleset that is triggered names the action. One that could not be checked stands in its place
    under `on_failure: block`, and its refusal is answered. Redactions add up: a redact takes every later enforced
    redact with it, so one of those that could not be checked blocks too.
    """
    if stage.paused:
        return Decision(stage, Status.PAUSED, Passthrough(), None, (), measurements)
    if not stage.rulesets:
        return Decision(stage, Status.SKIPPED, Passthrough(), None, (), measurements)
    outcomes: list[RulesetOutcome] = []
    decisive: RulesetOutcome | None = None
    unresolved: RulesetOutcome | None = None
    for ruleset, rules in stage.compiled:
        outcome = _ruleset_outcome(ruleset, rules, measurements, may_skip=not _matters(ruleset, decisive))
        outcomes.append(outcome)
        if not _matters(ruleset, decisive) or ruleset.mode == "observe":
            continue
        if outcome.status in UNRESOLVED:
            unresolved = unresolved or outcome
            if stage.on_failure == "block" and (decisive is None or decisive.status == Status.TRIGGERED):
                decisive = outcome
        elif outcome.status == Status.TRIGGERED and decisive is None:
            decisive = outcome
    return _decision(stage, tuple(outcomes), decisive, unresolved, measurements)


def needed(stage: Stage, measurements: Measurements) -> Collection[Probe]:
    """The probes that can still change the decision or a record that a ruleset asks for, given what is measured."""
    wanted: dict[Probe, None] = {}
    decisive: RulesetOutcome | None = None
    for ruleset, rules in stage.compiled:
        if not _matters(ruleset, decisive):
            continue
        missing = [probe for probe, _ in rules if probe not in measurements]
        outcome = _ruleset_outcome(ruleset, rules, measurements, may_skip=True)
        if outcome.status == Status.NOT_TRIGGERED:
            continue
        wanted.update(dict.fromkeys(missing))
        settled = outcome.status == Status.TRIGGERED or (outcome.status in UNRESOLVED and stage.on_failure == "block")
        if settled and not missing and ruleset.mode == "enforce" and decisive is None:
            decisive = outcome
    return wanted.keys()


def _matters(ruleset: Ruleset, decisive: RulesetOutcome | None) -> bool:
    """Whether a ruleset can still matter behind the one that decided: an observed one, or a redact behind a redact."""
    if decisive is None or ruleset.mode == "observe":
        return True
    both_redact = isinstance(ruleset.action, Redact) and isinstance(decisive.ruleset.action, Redact)
    return both_redact and decisive.status == Status.TRIGGERED


def _ruleset_outcome(
    ruleset: Ruleset, rules: Iterable, measurements: Measurements, *, may_skip: bool
) -> RulesetOutcome:
    outcomes = []
    missed = False
    worst = Status.TRIGGERED
    for rule, (probe, test) in zip(ruleset.rules, rules, strict=True):
        measurement = measurements.get(probe)
        if measurement is None:
            status = Status.SKIPPED
        elif isinstance(measurement, Failure):
            status = Status.TIMEOUT if measurement.timed_out else Status.FAILED
        elif test(measurement):
            status = Status.TRIGGERED
        else:
            status, missed = Status.NOT_TRIGGERED, True
        if status is not Status.TRIGGERED and worst not in UNRESOLVED:
            worst = status
        outcomes.append(RuleOutcome(rule, probe, measurement, status))
    if missed:
        worst = Status.NOT_TRIGGERED
    elif worst == Status.SKIPPED and not may_skip:
        # Nobody may leave out what a ruleset still needs: what was not measured is not known to be safe.
        worst = Status.FAILED
    return RulesetOutcome(ruleset, worst, tuple(outcomes))


def _redacts(outcome: RulesetOutcome) -> bool:
    enforced = outcome.status == Status.TRIGGERED and outcome.ruleset.mode == "enforce"
    return enforced and isinstance(outcome.ruleset.action, Redact)


def _decision(
    stage: Stage,
    outcomes: tuple[RulesetOutcome, ...],
    decisive: RulesetOutcome | None,
    unresolved: RulesetOutcome | None,
    measurements: Measurements,
) -> Decision:
    if decisive is None:
        status = unresolved.status if unresolved else Status.NOT_TRIGGERED
        return Decision(stage, status, Passthrough(), None, outcomes, measurements)
    if decisive.status == Status.TRIGGERED:
        return Decision(stage, Status.TRIGGERED, decisive.ruleset.action, decisive.ruleset, outcomes, measurements)
    refusal = Override(type="override", choices=(stage.refusal,), subscriptions=decisive.ruleset.action.subscriptions)
    return Decision(stage, decisive.status, refusal, decisive.ruleset, outcomes, measurements)
