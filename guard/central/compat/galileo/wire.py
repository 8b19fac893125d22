"""What Galileo's clients send. Both names of the list of rulesets are understood; what is not known is left aside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, HttpUrl, model_validator

from guard.central.api.common import Body, Name, Number
from guard.stages import Operator, Override, Passthrough, Status, Subscription

_RULESETS = AliasChoices("prioritized_rulesets", "rulesets")


class Sent(Body):
    """Anything that a client sends: newer ones may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SentSubscription(Sent):
    """Who is told; statuses come in any case."""

    url: HttpUrl
    statuses: list[Annotated[Status, BeforeValidator(lambda status: str(status).lower())]] = Field(
        default=[Status.TRIGGERED], max_length=20
    )

    def subscription(self) -> Subscription:
        """The same as Guard has it."""
        return Subscription(url=self.url, statuses=tuple(self.statuses))


class SentOverride(Sent):
    """One of `choices` is answered instead."""

    type: Literal["OVERRIDE"]
    choices: list[str] = Field(min_length=1, max_length=1_000)
    subscriptions: list[SentSubscription] = Field(default_factory=list, max_length=20)

    def action(self) -> Override:
        """The same as Guard has it."""
        told = tuple(one.subscription() for one in self.subscriptions)
        return Override(type="override", choices=tuple(self.choices), subscriptions=told)


class SentPassthrough(Sent):
    """The text goes on."""

    type: Literal["PASSTHROUGH"] = "PASSTHROUGH"
    subscriptions: list[SentSubscription] = Field(default_factory=list, max_length=20)

    def action(self) -> Passthrough:
        """The same as Guard has it."""
        return Passthrough(type="passthrough", subscriptions=tuple(one.subscription() for one in self.subscriptions))


class SentRule(Sent):
    """A rule: what it means is said in translate.py."""

    metric: str = Field(min_length=1, max_length=200)
    operator: Operator
    target_value: str | float | int | list[Any] | None = None


class SentRuleset(Sent):
    """Rules that must all hold, and what follows."""

    rules: list[SentRule] = Field(min_length=1, max_length=100)
    action: Annotated[
        Annotated[SentOverride | SentPassthrough, Field(discriminator="type")],
        BeforeValidator(lambda action: action or {"type": "PASSTHROUGH"}),
    ] = SentPassthrough()
    description: str | None = Field(default=None, max_length=2_000)


class SentRulesets(Sent):
    """What a stage says from now on."""

    prioritized_rulesets: list[SentRuleset] = Field(default_factory=list, validation_alias=_RULESETS, max_length=200)


class SentStage(SentRulesets):
    """A stage to make."""

    name: Name
    description: str | None = Field(default=None, max_length=2_000)
    type: Literal["local", "central"] = "local"
    paused: bool = False


class SentProject(Sent):
    """A project to make."""

    name: Name


class Login(Sent):
    """An API key, for a token."""

    api_key: str = Field(max_length=500)


class Payload(Sent):
    """What is checked: the output where there is one, with the input beside it, else the input."""

    input: str | None = None
    output: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Payload:
        if not self.input and not self.output:
            raise ValueError("holds neither input nor output; give one")
        return self


class Invocation(SentRulesets):
    """A check. `timeout` is in seconds, for all that is measured; `metadata` and `headers` are told again."""

    payload: Payload
    project_name: Name | None = None
    project_id: str | None = Field(default=None, max_length=200)
    stage_name: Name | None = None
    stage_id: str | None = Field(default=None, max_length=200)
    stage_version: Number | None = None
    timeout: float = 10.0
    metadata: dict[str, str] | None = Field(default=None, max_length=50)
    headers: dict[str, str] | None = Field(default=None, max_length=50)

    @model_validator(mode="after")
    def _names_a_stage(self) -> Invocation:
        if not (self.stage_id or (self.stage_name and (self.project_id or self.project_name))):
            raise ValueError("names no stage; give stage_id, or stage_name with project_id or project_name")
        return self
