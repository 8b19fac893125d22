"""A candidate decides what the version in force decided, off the hot path, and the differences are counted."""

from __future__ import annotations

import asyncio
from typing import Any

from guard.compare import Comparer
from guard.guard import Guard
from guard.metrics import Metric, Score
from guard.policies import LoadedPolicy, PolicySet
from guard.policies.report import Disagreement
from guard.policies.rollout import Rollout
from tests.fakes import Recorded, broken, override, policy_of, rule


def counted(name: str, value: float = 5.0) -> tuple[Metric, list[str]]:
    """A metric, and the texts that it was asked for."""
    asked: list[str] = []

    def measure(turn: Any, side: Any) -> Score:
        asked.append(" ".join(turn.passages(side)))
        return Score(value)

    return Metric(name, measure, version="1"), asked


def over(limit: float, metric: str = "m") -> dict[str, Any]:
    return override(rule(metric, "gt", limit), name=f"over {limit:g}")


def policies_of(old: LoadedPolicy, new: LoadedPolicy, percent: float = 0.0) -> PolicySet:
    return PolicySet((old,), {"test": Rollout(new, percent, "user")})


async def compared(policies: PolicySet, *texts: str, user: str = "u") -> tuple[Disagreement, ...]:
    async with Comparer(lambda: policies) as comparer:
        guard = Guard(policies, recorder=Recorded(), comparer=comparer)
        for text in texts:
            await guard.acheck(text, user=user)
        return await settled(comparer, len(texts))


async def settled(comparer: Comparer, turns: int) -> tuple[Disagreement, ...]:
    """The report once so many turns were compared."""
    for _ in range(500):
        if sum(one.compared + one.failed for one in comparer.report()) >= turns:
            break
        await asyncio.sleep(0.01)
    return comparer.report()


async def test_a_candidate_that_decides_otherwise_is_counted_and_acts_on_nothing() -> None:
    metric, asked = counted("m")
    old, new = policy_of(metric, input=[over(9)]), policy_of(metric, input=[over(3)])
    policies = policies_of(old, new)
    async with Comparer(lambda: policies) as comparer:
        guard = Guard(policies, comparer=comparer)
        verdict = await guard.acheck("hello", user="u")
        assert verdict.allowed
        (report,) = await settled(comparer, 1)
    assert (report.compared, report.disagreed) == (1, 1)
    assert report.ways == {"input: passthrough → override by over 3": 1}
    assert report.events == (verdict.event,)
    assert (report.in_force, report.candidate) == (old.label, new.label)
    assert asked == ["hello"], "what was measured is not measured again"


async def test_where_both_decide_alike_nothing_is_counted_as_different() -> None:
    metric, _ = counted("m")
    old, new = policy_of(metric, input=[over(9)]), policy_of(metric, input=[over(8)])
    (report,) = await compared(policies_of(old, new), "one", "two", "three")
    assert (report.compared, report.disagreed, report.ways) == (3, 0, {})


async def test_only_what_the_candidate_alone_needs_is_measured_later() -> None:
    (both, asked_both), (more, asked_more) = counted("m"), counted("n")
    old = policy_of(both, input=[over(9)])
    new = policy_of(both, more, input=[over(9), over(3, "n")])
    (report,) = await compared(policies_of(old, new), "hello")
    assert (asked_both, asked_more) == (["hello"], ["hello"])
    assert report.disagreed == 1


async def test_a_metric_of_the_same_name_that_measures_otherwise_is_measured_anew() -> None:
    one, asked_one = counted("m", 5.0)
    other, asked_other = counted("m", 1.0)
    other = Metric("m", other.measure, version="2")
    old, new = policy_of(one, input=[over(3)]), policy_of(other, input=[over(3)])
    (report,) = await compared(policies_of(old, new), "hello")
    assert (asked_one, asked_other, report.disagreed) == (["hello"], ["hello"], 1)


async def test_in_a_canary_the_version_in_force_is_what_decides_later() -> None:
    metric, _ = counted("m")
    old, new = policy_of(metric, input=[over(3)]), policy_of(metric, input=[over(9)])
    (report,) = await compared(policies_of(old, new, percent=100), "hello")
    assert report.ways == {"input: override by over 3 → passthrough": 1}


async def test_a_candidate_whose_metric_breaks_blocks_by_its_own_rule_and_that_is_a_difference() -> None:
    metric, _ = counted("m")
    old, new = policy_of(metric, input=[over(9)]), policy_of(broken("b"), input=[over(9, "b")])
    (report,) = await compared(policies_of(old, new), "hello")
    assert (report.disagreed, report.failed) == (1, 0)


async def test_more_turns_than_may_wait_are_dropped_and_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr("guard.compare.WAITING", 2)
    metric, _ = counted("m")
    policies = policies_of(policy_of(metric, input=[over(9)]), policy_of(metric, input=[over(8)]))
    comparer = Comparer(lambda: policies)  # not entered, so nothing is taken from what waits
    guard = Guard(policies, comparer=comparer)
    for _ in range(5):
        await guard.acheck("hello", user="u")
    (report,) = comparer.report()
    assert (report.compared, report.dropped) == (0, 3)
