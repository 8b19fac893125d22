"""Policies follow their source; what is broken or away leaves the last good ones in force and says so."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from guard.errors import NoPolicy, PolicyError
from guard.metrics.registry import Registry
from guard.policies import LoadedPolicy, Policy, PolicySet
from guard.policies.live import LivePolicies
from guard.policies.source import source_of
from tests.fakes import fixed, policy_of, rule


def named(*names: str) -> PolicySet:
    return PolicySet(tuple(LoadedPolicy(Policy(policy=name), {}, Registry({})) for name in names))


class Scripted:
    """A source that gives what a test puts into `now`: a set, or an error of loading; `away`: it cannot be asked."""

    def __init__(self, now: PolicySet | Exception) -> None:
        self.now = now
        self.given: object = None
        self.away: Exception | None = None
        self.threads: set[int] = set()
        self.closed = False

    def load(self) -> PolicySet:
        self.threads.add(threading.get_ident())
        self.given = self.now
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def changed(self) -> bool:
        if self.away:
            raise self.away
        return self.now is not self.given

    def close(self) -> None:
        self.closed = True


async def eventually(claim) -> None:
    for _ in range(500):
        if claim():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came true")


async def test_a_change_is_in_force_without_a_restart() -> None:
    source = Scripted(named("a"))
    async with LivePolicies(source, interval=0.001) as live:
        assert live.select().name == "a"
        source.now = named("b")
        await eventually(lambda: live.select().name == "b")
        assert live.status.revisions == (live.current.policies[0].label,)
        assert live.status.error is None


async def test_nothing_is_loaded_on_the_event_loop() -> None:
    source = Scripted(named("a"))
    async with LivePolicies(source, interval=0.001) as live:
        source.now = named("b")
        await eventually(lambda: live.select().name == "b")
    assert threading.get_ident() not in source.threads
    assert source.closed


async def test_a_start_without_anything_good_is_an_error() -> None:
    source = Scripted(PolicyError("p.yaml:3: no"))
    with pytest.raises(PolicyError):
        async with LivePolicies(source):
            raise AssertionError("must not begin")
    assert source.closed


def live_of(source: Scripted) -> LivePolicies:
    live = LivePolicies(source)
    live.load()
    return live


def test_before_anything_is_loaded_every_turn_is_refused() -> None:
    with pytest.raises(NoPolicy):
        LivePolicies(Scripted(named("a"))).select()


def test_a_broken_file_keeps_the_last_good_revision_and_the_status_says_why() -> None:
    source = Scripted(named("a"))
    live = live_of(source)
    source.now = PolicyError("p.yaml:3: no field 'rule'", "p.yaml:9: no metric 'x'")
    live.look()
    assert live.select().name == "a"
    assert live.status.revisions[0].startswith("a@")
    assert live.status.error == "p.yaml:3: no field 'rule'\np.yaml:9: no metric 'x'"
    live.look()
    assert live.status.error, "it stays until the file is mended"
    source.now = named("b")
    live.look()
    assert (live.select().name, live.status.error) == ("b", None)


def test_a_source_that_is_away_keeps_what_is_in_force_and_the_error_goes_when_it_is_back() -> None:
    source = Scripted(named("a"))
    live = live_of(source)
    source.away = PolicyError("https://x:1: cannot be fetched")
    live.look()
    assert (live.select().name, live.status.error) == ("a", "https://x:1: cannot be fetched")
    source.away = None
    live.look()
    assert live.status.error is None


def test_a_broken_file_is_still_broken_after_the_source_was_away() -> None:
    source = Scripted(named("a"))
    live = live_of(source)
    source.now = PolicyError("broken")
    live.look()
    source.away = PolicyError("away")
    live.look()
    assert live.status.error == "away"
    source.away = None
    live.look()
    assert live.status.error == "broken"


def test_what_could_not_be_loaded_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Scripted(named("a"))
    live = live_of(source)
    source.now = PolicyError("the model's server is away")
    live.look()
    source.given = source.now = named("b")
    live.look()
    assert live.select().name == "a"
    monkeypatch.setattr("guard.policies.live.RETRY", 0.0)
    live.look()
    assert (live.select().name, live.status.error) == ("b", None)


def test_whatever_else_goes_wrong_while_looking_leaves_what_is_in_force() -> None:
    source = Scripted(named("a"))
    live = live_of(source)
    source.away = RuntimeError("disk on fire")
    live.look()
    assert (live.select().name, live.status.error) == ("a", "RuntimeError: disk on fire")


def test_an_error_that_nobody_foresaw_stays_in_the_status_until_the_policies_load() -> None:
    source = Scripted(named("a"))
    live = live_of(source)
    source.now = RuntimeError("a bug")
    live.look()
    live.look()
    assert (live.select().name, live.status.error) == ("a", "RuntimeError: a bug")


def test_the_same_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    source = Scripted(named("a"))
    live = live_of(source)
    source.now = PolicyError("p.yaml:3: no")
    for _ in range(3):
        live.look()
    assert caplog.text.count("p.yaml:3: no") == 1


def test_every_look_is_in_the_status() -> None:
    live = live_of(Scripted(named("a")))
    before = live.status
    live.look()
    assert live.status.checked_at > before.checked_at
    assert live.status.loaded_at == before.loaded_at


async def test_a_file_that_is_edited_is_in_force_in_every_worker_and_a_broken_one_in_none(write) -> None:
    file = write("policy: a\n")
    async with (
        LivePolicies(source_of(file), interval=0.001) as one,
        LivePolicies(source_of(file), interval=0.001) as two,
    ):
        write("policy: b\n")
        await eventually(lambda: one.select().name == two.select().name == "b")
        write("policy: c\nstage: {}\n")
        await eventually(lambda: one.status.error and two.status.error)
        assert one.status.error == f"{file}:2: no field 'stage'; did you mean 'stages'?"
        assert one.current.policies[0].label == two.current.policies[0].label == one.status.revisions[0]


class TestWarmUp:
    """What a policy measures with is ready before the policy is in force."""

    def using(self, warm_up, name: str = "a") -> PolicySet:
        metric = replace(fixed("m", 0.0), warm_up=warm_up)
        return PolicySet((policy_of(metric, name=name, input=[{"name": "r", "rules": [rule("m", "gte", 1)]}]),))

    def test_metrics_are_warmed_up_once_and_before_they_are_used(self) -> None:
        warmed: list[str] = []
        source = Scripted(self.using(lambda: warmed.append("m")))
        live = live_of(source)
        assert warmed == ["m"]
        source.now = PolicySet(live.current.policies)
        live.look()
        assert warmed == ["m"]

    def test_a_metric_that_cannot_be_made_ready_keeps_its_policy_out(self) -> None:
        source = Scripted(named("good"))
        live = live_of(source)
        source.now = self.using(lambda: 1 / 0, name="bad")
        live.look()
        assert live.select().name == "good"
        assert live.status.error is not None
        assert "metric 'm' cannot be made ready: ZeroDivisionError: division by zero" in live.status.error
