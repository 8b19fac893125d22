"""Who gets a candidate: always the same ones, about as many as asked, and nobody who cannot be told apart."""

from __future__ import annotations

import pytest

from guard.metrics.registry import Registry
from guard.policies import LoadedPolicy, Policy, PolicySet
from guard.policies.rollout import Rollout


def version(number: int) -> LoadedPolicy:
    return LoadedPolicy(Policy(policy="support", description=str(number)), {}, Registry({}))


OLD, NEW = version(1), version(2)
USERS = [f"user-{number}" for number in range(4_000)]


def taken(percent: float, by: str = "user", candidate: LoadedPolicy = NEW) -> set[str]:
    rollout = Rollout(candidate, percent, by)
    return {user for user in USERS if rollout.takes({by: user})}


@pytest.mark.parametrize("percent", [1.0, 10.0, 50.0])
def test_about_as_many_get_it_as_were_asked_for(percent: float) -> None:
    assert len(taken(percent)) == pytest.approx(40 * percent, rel=0.3)


def test_none_is_none_and_all_is_all() -> None:
    assert (len(taken(0)), len(taken(100))) == (0, len(USERS))


def test_whoever_is_among_ten_per_cent_stays_among_twenty_and_the_next_candidate_draws_others() -> None:
    assert taken(10) < taken(20)
    assert taken(10) != taken(10, candidate=version(3))


def test_who_cannot_be_told_apart_stays_with_what_is_in_force() -> None:
    policies = PolicySet((OLD,), {"support": Rollout(NEW, 100, "user")})
    assert policies.select("app", session="s") is OLD
    assert policies.select("app", user="u") is NEW


@pytest.mark.parametrize("by", ["app", "user", "session"])
def test_apps_users_or_sessions_may_be_told_apart(by: str) -> None:
    policies = PolicySet((OLD,), {"support": Rollout(NEW, 50, by)})
    given = [policies.select(**{"app": "a", "user": "u", "session": "s", by: user}) for user in USERS[:200]]
    assert {policy.policy.description for policy in given} == {"1", "2"}
    again = [policies.select(**{"app": "b", "user": "v", "session": "t", by: user}) for user in USERS[:200]]
    assert again == given


def test_each_version_is_the_others_rival_and_a_stranger_has_none() -> None:
    policies = PolicySet((OLD,), {"support": Rollout(NEW, 0, "user")})
    assert policies.rival(OLD) is NEW
    assert policies.rival(NEW) is OLD
    assert PolicySet((OLD,)).rival(OLD) is None
