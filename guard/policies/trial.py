"""Trying a policy on its cases: each goes the way that a request goes, and what comes of it is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from guard.metrics import Cost, Measurement, Side, Turn
from guard.policies.case import Case, measurement
from guard.policies.cases import stage_of
from guard.policies.expect import Outcome, came_to, compare
from guard.policies.loaded import LoadedPolicy
from guard.stages import Override, Stage

#: Seconds that a stage has in a trial, whatever its timeout: a case tells what is decided, not how fast the machine is.
PATIENCE = 60.0


class Checks(Protocol):
    """What checks turns by a policy: guard.guard.Guard. Handed in, since policies know nothing of what uses them."""

    async def acheck(self, value: Turn, stage: Side, *, app: str = "", **labels: str) -> Outcome: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Trial:
    """One case tried: what came of it, and in `problems` each expectation that did not hold; none where all did."""

    case: Case
    outcome: Outcome
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.problems


async def attempt(case: Case, policy: LoadedPolicy, guard: Callable[[LoadedPolicy], Checks]) -> Trial:
    """Try one case of a policy's suite; `guard` makes what checks by a policy: `Guard`."""
    stage = stage_of(case, policy)
    assert stage is not None
    outcome = await _outcome(case, stage.kind, policy, guard)
    text = "\n".join(case.turn(stage.kind).passages(stage.kind))
    return Trial(case, outcome, (*_scope(case, policy), *compare(case, outcome, text)))


async def flipped(
    case: Case, old: LoadedPolicy, new: LoadedPolicy, guard: Callable[[LoadedPolicy], Checks]
) -> tuple[str, str] | None:
    """What two policies make of a case that fits one of them, each in a few words; None where both do the same."""
    stage = stage_of(case, old) or stage_of(case, new)
    assert stage is not None
    before, after = [await _outcome(case, stage.kind, policy, guard) for policy in (old, new)]
    return (came_to(before), came_to(after)) if _result(before) != _result(after) else None


async def _outcome(case: Case, kind: Side, policy: LoadedPolicy, guard: Callable[[LoadedPolicy], Checks]) -> Outcome:
    labels = {"model": case.model, "route": case.route}
    return await guard(patient(_given(policy, case))).acheck(case.turn(kind), kind, app=case.app, **labels)


def _result(outcome: Outcome) -> tuple[object, ...]:
    action = outcome.decision.action
    # Which of an override's answers was picked is chance.
    text = action.choices if isinstance(action, Override) else outcome.text
    return came_to(outcome), outcome.decision.status, text


def _scope(case: Case, policy: LoadedPolicy) -> list[str]:
    if not (case.app or case.model or case.route):
        return []
    if policy.policy.applies_to.nearness(case.app, case.model, case.route) is not None:
        return []
    turn = ", ".join(f"{name} '{value}'" for name in ("app", "model", "route") if (value := getattr(case, name)))
    return [f"the policy does not apply to {turn}; see its applies_to"]


def _given(policy: LoadedPolicy, case: Case) -> LoadedPolicy:
    """The policy with metrics that give what the case says they measure."""
    stand_ins = {
        name: replace(policy.metrics[name], measure=_constant(measurement(given)), cost=Cost.FREE, warm_up=None)
        for name, given in case.scores.items()
        if name in policy.metrics
    }
    return replace(policy, metrics=policy.metrics.child(stand_ins)) if stand_ins else policy


def _constant(given: Measurement) -> Callable[[Turn, Side], Measurement]:
    return lambda turn, side: given


def patient(policy: LoadedPolicy) -> LoadedPolicy:
    """The policy with as much time for its stages as a trial has."""
    stages: Mapping[str, Stage] = {
        name: stage.model_copy(update={"timeout": max(stage.timeout, PATIENCE)})
        for name, stage in policy.policy.stages.items()
    }
    return replace(policy, policy=policy.policy.model_copy(update={"stages": stages}))
