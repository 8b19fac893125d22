"""The decision: priority, AND and OR, what failures mean, and that skipping measurements never changes it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.metrics import Failure, Measurement, Probe, Score
from guard.stages import Decision, Override, Passthrough, Redact, Rule, Ruleset, Stage, Status, decide, needed

PASS, LATE, BROKEN = Passthrough(), Failure("late", timed_out=True), Failure("broken")
STOP = Override(type="override", choices=("no",), subscriptions=())
HIDE = Redact(type="redact")


def ruleset(name: str, *metrics: str, action: Passthrough | Override | Redact = STOP, mode: str = "enforce") -> Ruleset:
    rules = [{"metric": metric, "operator": "gte", "target_value": 0.5} for metric in metrics]
    return Ruleset.model_validate({"name": name, "rules": rules, "action": action, "mode": mode})


def stage(*rulesets: Ruleset, **fields: object) -> Stage:
    return Stage.model_validate({"name": "input", "kind": "input", "rulesets": rulesets, **fields})


def measured(**measurements: float | Failure) -> dict[Probe, Measurement]:
    return {
        Probe(name, "input"): value if isinstance(value, Failure) else Score(value)
        for name, value in measurements.items()
    }


def decided_by(decision: Decision) -> str | None:
    return decision.ruleset.name if decision.ruleset else None


def test_a_ruleset_triggers_only_when_all_its_rules_hold() -> None:
    both = stage(ruleset("both", "a", "b"))
    assert decide(both, measured(a=1, b=1)).status == Status.TRIGGERED
    assert decide(both, measured(a=1, b=0)).status == Status.NOT_TRIGGERED


def test_the_first_triggered_ruleset_in_list_order_names_the_action() -> None:
    decision = decide(stage(ruleset("x", "a"), ruleset("y", "b"), ruleset("z", "c")), measured(a=0, b=1, c=1))
    assert decided_by(decision) == "y"
    assert decision.blocked


def test_a_passthrough_that_triggers_first_is_the_action() -> None:
    decision = decide(stage(ruleset("known", "a", action=PASS), ruleset("stop", "b")), measured(a=1, b=1))
    assert decision.action == PASS
    assert not decision.blocked


def test_a_rule_may_look_at_another_side_than_its_stage() -> None:
    rule = Rule(metric="a", of="retrieval", operator="gte", target_value=0.5)
    other = stage(Ruleset(name="r", rules=(rule,), action=STOP))
    assert other.probes == (Probe("a", "retrieval"),)
    assert decide(other, {Probe("a", "retrieval"): Score(1.0)}).blocked


@pytest.mark.parametrize(("failure", "status"), [(LATE, Status.TIMEOUT), (BROKEN, Status.FAILED)])
def test_a_metric_that_is_late_or_broken_blocks_rather_than_passes(failure: Failure, status: Status) -> None:
    decision = decide(stage(ruleset("r", "a"), refusal="not now"), measured(a=failure))
    assert decision.status == status
    assert isinstance(decision.action, Override)
    assert decision.action.choices == ("not now",)


@pytest.mark.parametrize(("failure", "status"), [(LATE, Status.TIMEOUT), (BROKEN, Status.FAILED)])
def test_on_failure_allow_goes_on_and_still_says_what_failed(failure: Failure, status: Status) -> None:
    decision = decide(stage(ruleset("r", "a"), on_failure="allow"), measured(a=failure))
    assert decision.status == status
    assert not decision.blocked


def test_on_failure_allow_does_not_shield_from_later_rulesets() -> None:
    decision = decide(stage(ruleset("r", "a"), ruleset("s", "b"), on_failure="allow"), measured(a=BROKEN, b=1))
    assert decided_by(decision) == "s"


def test_of_several_failures_the_first_gives_the_status() -> None:
    two = stage(ruleset("r", "a"), ruleset("s", "b"), on_failure="allow")
    assert decide(two, measured(a=LATE, b=BROKEN)).status == Status.TIMEOUT
    assert decide(stage(ruleset("r", "a", "b")), measured(a=LATE, b=BROKEN)).status == Status.TIMEOUT


def test_a_failed_rule_does_not_matter_where_another_rule_of_its_ruleset_does_not_hold() -> None:
    assert decide(stage(ruleset("r", "a", "b")), measured(a=BROKEN, b=0)).status == Status.NOT_TRIGGERED


def test_a_failure_behind_the_ruleset_that_decided_does_not_matter() -> None:
    assert decided_by(decide(stage(ruleset("r", "a"), ruleset("s", "b")), measured(a=1, b=BROKEN))) == "r"


def test_what_was_left_out_but_still_needed_counts_as_failed() -> None:
    decision = decide(stage(ruleset("r", "a")), {})
    assert decision.status == Status.FAILED
    assert decision.blocked


def test_a_refusal_tells_those_whom_the_ruleset_would_have_told() -> None:
    hook = {"url": "https://example.com/hook", "statuses": ["failed"]}
    told = Override.model_validate({"type": "override", "choices": ["no"], "subscriptions": [hook]})
    assert decide(stage(ruleset("r", "a", action=told)), measured(a=BROKEN)).action.subscriptions == told.subscriptions


def test_an_observed_ruleset_is_recorded_but_never_acts() -> None:
    decision = decide(stage(ruleset("watch", "a", mode="observe"), ruleset("act", "b")), measured(a=1, b=0))
    assert [one.name for one in decision.triggered] == ["watch"]
    assert decision.status == Status.NOT_TRIGGERED
    assert not decision.blocked


def test_an_observed_ruleset_that_fails_blocks_nothing() -> None:
    decision = decide(stage(ruleset("watch", "a", mode="observe")), measured(a=BROKEN))
    assert not decision.blocked
    assert decision.outcomes[0].status == Status.FAILED


def test_a_paused_stage_measures_and_decides_nothing() -> None:
    paused = stage(ruleset("r", "a"), paused=True)
    assert paused.probes == ()
    assert decide(paused, measured(a=1)).status == Status.PAUSED


def test_a_stage_without_rulesets_is_skipped() -> None:
    assert decide(stage(), {}).status == Status.SKIPPED


def test_redactions_add_up() -> None:
    both = stage(ruleset("x", "a", action=HIDE), ruleset("y", "b"), ruleset("z", "c", action=HIDE))
    decision = decide(both, measured(a=1, b=0, c=1))
    assert [outcome.ruleset.name for outcome in decision.redactions] == ["x", "z"]


def test_an_observed_redaction_does_not_redact() -> None:
    two = stage(ruleset("x", "a", action=HIDE), ruleset("y", "b", action=HIDE, mode="observe"))
    assert [outcome.ruleset.name for outcome in decide(two, measured(a=1, b=1)).redactions] == ["x"]


def test_a_redaction_that_could_not_be_checked_blocks_behind_one_that_triggered() -> None:
    decision = decide(stage(ruleset("x", "a", action=HIDE), ruleset("y", "b", action=HIDE)), measured(a=1, b=LATE))
    assert decided_by(decision) == "y"
    assert decision.blocked


def test_coverage_tells_what_ran_was_skipped_failed_or_late() -> None:
    four = stage(ruleset("r", "a", "b"), ruleset("s", "c"), ruleset("t", "d"), on_failure="allow")
    coverage = decide(four, measured(a=0, c=BROKEN, d=LATE)).coverage
    assert [[probe.metric for probe in probes] for probes in coverage] == [["a"], ["b"], ["c"], ["d"]]


def test_nothing_dear_is_needed_once_the_first_ruleset_decided() -> None:
    two = stage(ruleset("r", "cheap"), ruleset("s", "dear"))
    assert list(needed(two, measured(cheap=1))) == []
    assert list(needed(two, measured(cheap=0))) == [Probe("dear", "input")]


def test_an_observed_ruleset_is_measured_even_behind_one_that_decided() -> None:
    two = stage(ruleset("r", "cheap"), ruleset("s", "dear", mode="observe"))
    assert list(needed(two, measured(cheap=1))) == [Probe("dear", "input")]


def test_a_ruleset_whose_cheap_rule_does_not_hold_needs_no_dear_one() -> None:
    assert list(needed(stage(ruleset("r", "cheap", "dear")), measured(cheap=0))) == []


def test_a_ruleset_that_failed_in_part_settles_nothing_while_its_other_rule_may_not_hold() -> None:
    two = stage(ruleset("r", "broken", "dear"), ruleset("s", "cheap"))
    assert set(needed(two, measured(broken=BROKEN))) == {Probe("dear", "input"), Probe("cheap", "input")}


def test_nothing_is_needed_behind_a_redaction_that_failed() -> None:
    two = stage(ruleset("x", "a", action=HIDE), ruleset("y", "b", action=HIDE))
    assert list(needed(two, measured(a=BROKEN))) == []
    assert list(needed(two, measured(a=1))) == [Probe("b", "input")]


METRICS = ("a", "b", "c", "d", "e")
outcomes = st.sampled_from([Score(0.0), Score(1.0), LATE, BROKEN])
rulesets = st.builds(
    lambda metrics, action, mode: (tuple(metrics), action, mode),
    st.lists(st.sampled_from(METRICS), min_size=1, max_size=3),
    st.sampled_from([PASS, STOP, HIDE]),
    st.sampled_from(["enforce", "observe"]),
)
stages = st.builds(
    lambda parts, on_failure: stage(
        *(ruleset(str(n), *metrics, action=action, mode=mode) for n, (metrics, action, mode) in enumerate(parts)),
        on_failure=on_failure,
    ),
    st.lists(rulesets, min_size=1, max_size=6),
    st.sampled_from(["block", "allow"]),
)
worlds = st.fixed_dictionaries({Probe(metric, "input"): outcomes for metric in METRICS})


def step_by_step(of: Stage, world: Mapping[Probe, Measurement], order: list[str]) -> dict[Probe, Measurement]:
    """What a live proxy measures: one metric after the other, each only if it is still needed."""
    known: dict[Probe, Measurement] = {}
    for metric in order:
        probe = Probe(metric, "input")
        if probe in needed(of, known):
            known[probe] = world[probe]
    return known


@settings(max_examples=400)
@given(stages, worlds, st.permutations(METRICS))
def test_measuring_only_what_is_needed_decides_as_measuring_everything(
    of: Stage, world: dict[Probe, Measurement], order: list[str]
) -> None:
    lazy, full = decide(of, step_by_step(of, world, order)), decide(of, world)
    assert (lazy.status, lazy.action, lazy.ruleset) == (full.status, full.action, full.ruleset)
    assert [one.ruleset for one in lazy.redactions] == [one.ruleset for one in full.redactions]
    assert [one for one in lazy.triggered if one.mode == "observe"] == [
        one for one in full.triggered if one.mode == "observe"
    ]


@settings(max_examples=400)
@given(stages, worlds, st.sets(st.sampled_from(METRICS)))
def test_a_failure_never_reads_as_safe_under_on_failure_block(
    of: Stage, world: dict[Probe, Measurement], lost: set[str]
) -> None:
    """Whatever a failed metric would have said, the text that it might have stopped is not passed on."""
    if of.on_failure == "allow":
        return
    failing = {probe: BROKEN if probe.metric in lost else value for probe, value in world.items()}
    if not decide(of, failing).blocked:
        for guess in (Score(0.0), Score(1.0)):
            guessed = {probe: guess if isinstance(value, Failure) else value for probe, value in failing.items()}
            assert not decide(of, guessed).blocked
            assert len(decide(of, guessed).redactions) == len(decide(of, failing).redactions)
