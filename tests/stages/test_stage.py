"""What a stage takes as written, and what it refuses."""

from __future__ import annotations

from random import Random

import pytest
from pydantic import ValidationError

from guard.metrics import Probe
from guard.stages import Override, Passthrough, Ruleset, Stage, Status, Subscription


def stage(**fields: object) -> Stage:
    return Stage.model_validate({"name": "input", "kind": "input", **fields})


def ruleset(name: str, *metrics: str) -> dict:
    return {"name": name, "rules": [{"metric": metric, "operator": "not_empty"} for metric in metrics]}


@pytest.mark.parametrize(
    ("written", "seconds"), [("300ms", 0.3), ("2s", 2.0), ("1.5 s", 1.5), ("1m", 60.0), (3, 3.0), (0.25, 0.25)]
)
def test_a_timeout_is_a_duration_or_a_number_of_seconds(written: object, seconds: float) -> None:
    assert stage(timeout=written).timeout == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["soon", "300", "-1s", 0, -1, "11m", float("nan"), "", None, "1h"])
def test_a_timeout_that_is_no_duration_or_out_of_bounds_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        stage(timeout=written)


def test_two_rulesets_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two rulesets are called 'a'"):
        stage(rulesets=[ruleset("a", "x"), ruleset("a", "y")])


@pytest.mark.parametrize("kind", ["output", "tool_call"])
def test_what_is_read_after_the_provider_was_asked_cannot_be_checked_alongside(kind: str) -> None:
    with pytest.raises(ValidationError, match="remove 'check: alongside'"):
        Stage.model_validate({"name": kind, "kind": kind, "check": "alongside"})


@pytest.mark.parametrize(
    ("action", "mode", "alongside"),
    [
        ({"type": "override", "choices": ["no"]}, "enforce", True),
        ({"type": "redact"}, "observe", True),
        ({"type": "redact"}, "enforce", False),
    ],
)
def test_a_stage_that_may_redact_is_checked_before(action: dict, mode: str, alongside: bool) -> None:
    acting = stage(check="alongside", rulesets=[{**ruleset("a", "x"), "action": action, "mode": mode}])
    assert acting.alongside == alongside


def test_an_observed_stage_keeps_all_but_that_it_acts() -> None:
    acting = stage(timeout="1s", rulesets=[ruleset("a", "x"), ruleset("b", "y")])
    assert acting.compiled
    watching = acting.observed
    assert [one.mode for one, _ in watching.compiled] == ["observe", "observe"]
    assert (watching.timeout, watching.probes) == (1.0, acting.probes)


def test_each_measurement_is_asked_for_once() -> None:
    shared = stage(rulesets=[ruleset("a", "x", "y"), ruleset("b", "y", "z")])
    assert shared.probes == tuple(Probe(metric, "input") for metric in ("x", "y", "z"))


def test_a_ruleset_needs_a_rule() -> None:
    with pytest.raises(ValidationError):
        Ruleset(name="r", rules=())


def test_an_action_is_passthrough_unless_another_is_named() -> None:
    assert Ruleset.model_validate(ruleset("r", "x")).action == Passthrough()


def test_the_same_seed_picks_the_same_answer_and_every_answer_is_picked() -> None:
    override = Override(type="override", choices=("a", "b", "c"))
    picked = [override.choose(Random(seed)) for seed in range(40)]
    assert picked == [override.choose(Random(seed)) for seed in range(40)]
    assert set(picked) == {"a", "b", "c"}


def test_a_subscription_is_told_of_triggers_unless_it_names_other_statuses() -> None:
    assert Subscription.model_validate({"url": "https://example.com"}).statuses == (Status.TRIGGERED,)
    with pytest.raises(ValidationError):
        Subscription.model_validate({"url": "ftp://example.com"})
