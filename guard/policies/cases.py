"""A policy's test cases: what people write in `NAME.cases.yaml` beside it, read and checked against the policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from guard.errors import PolicyError, nearest
from guard.metrics import Failure, Measurement, Metric, Score, Side, ToolCall, Turn
from guard.policies.document import read
from guard.policies.plain import Place
from guard.policies.loaded import LoadedPolicy
from guard.stages import Stage, Status


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Call(_Written):
    """A tool call as the model made it; `arguments` is JSON text."""

    name: str = ""
    arguments: str


class Unmeasured(_Written):
    """A measurement that did not come: `failed` or `late` says why."""

    failed: str | None = None
    late: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Unmeasured:
        if (self.failed is None) == (self.late is None):
            raise ValueError("write {failed: why} or {late: why}")
        return self

    def failure(self) -> Failure:
        """As a metric would have given it."""
        return Failure(self.failed or self.late or "", timed_out=self.late is not None)


Given: TypeAlias = float | str | tuple[str, ...] | Unmeasured


class Case(_Written):
    """One text or turn at one stage, and what is expected of it; all expectations that are written must hold.

    `text` stands on the stage's own side; instead of it `messages`, `output`, `documents` and `tool_calls` make a whole
    turn. `scores` stand in for what these metrics would have measured.
    """

    name: str = Field(min_length=1)
    stage: str
    text: str | None = None
    messages: tuple[dict[str, Any], ...] = ()
    output: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    tool_calls: tuple[Call, ...] = ()
    app: str = ""
    model: str = ""
    route: str = ""
    scores: dict[str, Given] = Field(default_factory=dict)

    triggers: tuple[str, ...] = ()
    passes: bool | None = None
    status: Status | None = None
    becomes: str | None = None
    answers_one_of: tuple[str, ...] = ()

    @field_validator("output", "triggers", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("passes")
    @classmethod
    def _is_true(cls, value: bool | None) -> bool | None:
        if value is False:
            raise ValueError("can only be true; where something should happen, write triggers")
        return value

    @model_validator(mode="after")
    def _says_what_and_expects_something(self) -> Case:
        turn = self.messages or self.output or self.documents or self.tool_calls
        if self.text is not None and turn:
            raise ValueError("write either text, or messages, output, documents and tool_calls")
        if self.text is None and not turn and not self.scores:
            raise ValueError("write a text, or messages, output, documents or tool_calls")
        if not (self.triggers or self.passes or self.status or self.becomes is not None or self.answers_one_of):
            raise ValueError("expects nothing; write triggers, passes, status, becomes or answers_one_of")
        return self

    def turn(self, kind: Side) -> Turn:
        """The turn to check at a stage of that kind."""
        if self.text is not None:
            return Turn.of(self.text, kind)
        calls = tuple(ToolCall(call.name, call.arguments) for call in self.tool_calls)
        messages = Turn.of(self.messages).messages
        return Turn(messages, self.output, calls, self.documents)


class CaseFile(_Written):
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


def measurement(given: Given) -> Measurement:
    """What a metric would have given."""
    if isinstance(given, Unmeasured):
        return given.failure()
    return Score(given, labels=given) if isinstance(given, tuple) else Score(given)


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
