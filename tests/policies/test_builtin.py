"""The built-in policies do what their cases say, on the real metrics, and stand in order."""

from __future__ import annotations

import pytest

from guard.guard import Guard
from guard.policies import LoadedPolicy, load_policy
from guard.policies.cases import Suite, read_cases
from guard.policies.files import BUILT_IN, cases_of, policy_files
from guard.policies.lint import lint
from guard.policies.scope import AppliesTo
from guard.policies.trial import attempt, flipped

NAMES = [file.stem for file in policy_files(BUILT_IN)]


def suite_of(name: str) -> Suite:
    policy = load_policy(f"builtin/{name}")
    assert policy.file is not None
    cases = cases_of(policy.file)
    assert cases is not None
    return read_cases(cases, policy)


def tries(name: str) -> list[object]:
    return [pytest.param(name, number, id=f"{name}: {case.name}") for number, case in enumerate(suite_of(name).cases)]


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    return {name: suite_of(name) for name in NAMES}


def test_there_are_three() -> None:
    assert NAMES == ["baseline", "observe", "strict"]


@pytest.mark.parametrize(("name", "number"), [trial for name in NAMES for trial in tries(name)])
async def test_every_case_of_a_built_in_policy_comes_out_as_expected(suites, name: str, number: int) -> None:
    trial = await attempt(suites[name].cases[number], suites[name].policy, Guard)
    assert trial.problems == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_policy_has_no_remarks_and_a_case_for_each_ruleset(name: str) -> None:
    remarks = [remark.split(": ", 1)[1] for remark in lint(f"builtin/{name}").remarks]
    expected = "only observes: whatever it finds goes on; set mode: enforce where you trust it"
    assert remarks == ([expected] if name == "observe" else [])


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_policy_says_what_it_is_for_and_applies_to_everything(name: str) -> None:
    policy = load_policy(f"builtin/{name}").policy
    assert policy.description and policy.policy == name
    assert policy.applies_to == AppliesTo()


async def test_strict_passes_on_nothing_that_baseline_stops_or_hides(suites) -> None:
    baseline, strict = suites["baseline"].policy, suites["strict"].policy
    for case in suites["baseline"].cases:
        came = await flipped(case, baseline, strict, Guard)
        assert came is None or came[0].startswith("passed") or not came[1].startswith("passed"), case.name


async def test_observe_changes_nothing_whatever_the_cases_of_the_others_hold(suites) -> None:
    observe: LoadedPolicy = suites["observe"].policy
    for case in (*suites["baseline"].cases, *suites["strict"].cases):
        if observe.has(case.stage):  # type: ignore[arg-type] - these cases name their stage by its kind
            turn = case.turn(case.stage)  # type: ignore[arg-type]
            verdict = await Guard(observe).acheck(turn, case.stage)  # type: ignore[arg-type]
            assert verdict.allowed
            assert verdict.turn.passages(case.stage) == turn.passages(case.stage)  # type: ignore[arg-type]
