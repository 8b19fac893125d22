"""Which of several policies applies to a turn."""

from __future__ import annotations

import pytest

from guard.errors import NoPolicy
from guard.metrics.registry import Registry
from guard.policies import LoadedPolicy, Policy, PolicySet


def policies(**scopes: dict[str, list[str]]) -> PolicySet:
    return PolicySet(
        tuple(
            LoadedPolicy(Policy.model_validate({"policy": name, "applies_to": scope}), {}, Registry({}))
            for name, scope in scopes.items()
        )
    )


def test_a_policy_applies_to_everything_unless_it_says_otherwise() -> None:
    assert policies(a={}).select("any", "model", "route").name == "a"
    assert policies(a={}).select().name == "a"


def test_where_no_policy_applies_the_turn_is_refused_with_the_fix() -> None:
    with pytest.raises(NoPolicy, match="no policy applies to app 'x', model 'm', route '', so it is refused; add one"):
        policies(a={"apps": ["support-*"]}).select("x", "m")


def test_no_policies_at_all_refuse_everything() -> None:
    with pytest.raises(NoPolicy):
        PolicySet(()).select("x")


@pytest.mark.parametrize(
    ("nearer", "farther"),
    [
        ({"apps": ["support-bot"]}, {"apps": ["support-*"]}),
        ({"apps": ["support-bot"], "models": ["*"]}, {"apps": ["support-bot*"], "models": ["gpt"]}),
        ({"apps": ["support-*"]}, {"apps": ["*"]}),
        ({"apps": ["support-b*"]}, {"apps": ["s*", "*-bot"]}),
        ({"apps": ["support-bot"]}, {"models": ["gpt"], "routes": ["/v1/chat"]}),
        ({"models": ["gpt"]}, {"routes": ["/v1/chat"]}),
        ({"apps": ["support-*"], "models": ["gpt"]}, {"apps": ["support-*"]}),
    ],
)
def test_the_policy_that_names_the_turn_most_closely_applies(nearer, farther) -> None:
    for order in ({"a": nearer, "b": farther}, {"b": farther, "a": nearer}):
        assert policies(**order).select("support-bot", "gpt", "/v1/chat").name == "a"


def test_of_equally_near_ones_the_same_is_chosen_everywhere() -> None:
    assert policies(b={}, a={}).select("x").name == policies(a={}, b={}).select("x").name == "a"


def test_all_three_must_match() -> None:
    one = policies(a={"apps": ["x"], "models": ["m-*"], "routes": ["/v1/*"]})
    assert one.select("x", "m-1", "/v1/chat").name == "a"
    for turn in (("y", "m-1", "/v1/chat"), ("x", "n", "/v1/chat"), ("x", "m-1", "/v2/chat")):
        with pytest.raises(NoPolicy):
            one.select(*turn)


def test_names_are_compared_with_their_case() -> None:
    with pytest.raises(NoPolicy):
        policies(a={"apps": ["Support"]}).select("support")


def test_a_policy_on_its_own_applies_to_whatever_it_is_asked_about() -> None:
    (policy,) = policies(a={"apps": ["x"]}).policies
    assert policy.select("y") is policy
