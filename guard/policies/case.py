"""One test case of a policy, as people write it."""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from guard.metrics import Failure, Measurement, Score, Side, ToolCall, Turn
from guard.stages import Status


class Written(BaseModel):
    """What stands in a cases file: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Call(Written):
    """A tool call as the model made it; `arguments` is JSON text."""

    name: str = ""
    arguments: str


class Unmeasured(Written):
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


class Case(Written):
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
        return Turn.of_messages(self.messages, output=self.output, tool_calls=calls, documents=self.documents)


def measurement(given: Given) -> Measurement:
    """What a metric would have given."""
    if isinstance(given, Unmeasured):
        return given.failure()
    return Score(given, labels=given) if isinstance(given, tuple) else Score(given)
