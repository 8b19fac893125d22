"""A policy's test cases: read from `NAME.cases.yaml` beside it, and checked against the policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from guard.errors import PolicyError, nearest
from guard.metrics import Metric
from guard.policies.case import Call, Case, Given, Unmeasured, Written
from guard.policies.document import read
from guard.policies.loaded import LoadedPolicy
from guard.policies.plain import Place
from guard.stages import Stage


class CaseFile(Written):
    """The cases of one policy."""

    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """A policy with its cases; `lines` says where each case stands, `file:line`."""

    policy: LoadedPolicy
    cases: tuple[Case, ...]
    lines: tuple[str, ...]


def read_cases(file: Path, policy: LoadedPolicy) -> Suite:
    """The cases in a file, checked against their policy. Raises PolicyError with every problem found."""
    document = read(file)
    try:
        cases = CaseFile.model_validate(document.data).cases
    except ValidationError as error:
        raise document.explain(error, known=_fields) from None
    problems = [document.problem(path, text) for path, text in _complaints(cases, policy)]
    if problems:
        raise PolicyError(*problems)
    return Suite(policy, cases, tuple(document.where(("cases", number)) for number in range(len(cases))))


def stage_of(case: Case, policy: LoadedPolicy) -> Stage | None:
    """The stage that a case names by its name or kind."""
    stages = policy.policy.stages.values()
    return next((stage for stage in stages if case.stage in (stage.name, stage.kind)), None)


def _fields(place: Place) -> Iterable[str]:
    model = {0: CaseFile, 2: Case}.get(len(place), Call if "tool_calls" in place else Unmeasured)
    return model.model_fields


def _complaints(cases: tuple[Case, ...], policy: LoadedPolicy) -> Iterator[tuple[Place, str]]:
    names: set[str] = set()
    for number, case in enumerate(cases):
        path: Place = ("cases", number)
        if case.name in names:
            yield (*path, "name"), f"two cases are called '{case.name}'; give one another name"
        names.add(case.name)
        stage = stage_of(case, policy)
        if stage is None:
            fix = nearest(case.stage, policy.policy.stages) if policy.policy.stages else "it has none"
            yield (*path, "stage"), f"{policy.name} has no stage '{case.stage}'; {fix}"
            continue
        known = [ruleset.name for ruleset in stage.rulesets]
        for place, name in enumerate(case.triggers):
            if name not in known:
                fix = nearest(name, known) if known else "it has none"
                yield (*path, "triggers", place), f"stage {stage.name} has no ruleset '{name}'; {fix}"
        for name, given in case.scores.items():
            wrong = _wrong_score(name, given, policy)
            if wrong:
                yield (*path, "scores", name), wrong


def _wrong_score(name: str, given: Given, policy: LoadedPolicy) -> str | None:
    rulesets = [ruleset for stage in policy.policy.stages.values() for ruleset in stage.rulesets]
    used = {rule.metric for ruleset in rulesets for rule in ruleset.rules}
    if name not in used:
        fix = nearest(name, used) if used else "they name none"
        return f"no rule of {policy.name} asks for a metric '{name}'; {fix}"
    metric: Metric = policy.metrics[name]
    wanted = {"number": float, "labels": tuple, "label": str}[metric.kind]
    if isinstance(given, (wanted, Unmeasured)):
        return None
    what = {"number": "a number", "labels": "a list of labels", "label": "one label"}[metric.kind]
    return f"'{name}' gives {what}; write such a one, or {{failed: why}} or {{late: why}}"
