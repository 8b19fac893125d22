"""A stage: the rulesets of one point of a turn, in their order of priority."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guard.metrics.duration import Duration
from guard.metrics.score import Probe
from guard.metrics.turn import Side
from guard.stages.action import Override
from guard.stages.rule import Test
from guard.stages.ruleset import Ruleset


class Stage(BaseModel):
    """`rulesets` are an OR in order of priority: the first triggered one names the action.

    `timeout` bounds all measurements together, in seconds. `on_failure` says what a failed or late metric means:
    `block` answers `refusal` instead, `allow` goes on. `stream` says how a streamed answer is held back: `window`
    releases text once the window it stands in was read, `whole` only at the end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Side
    rulesets: tuple[Ruleset, ...] = ()
    timeout: Duration = 2.0
    on_failure: Literal["block", "allow"] = "block"
    refusal: str = Field(default="This could not be checked, so it was not answered. Please try again.", min_length=1)
    stream: Literal["window", "whole"] = "window"
    paused: bool = False

    @model_validator(mode="after")
    def _names_are_unique(self) -> Stage:
        names = [ruleset.name for ruleset in self.rulesets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rulesets are called '{name}'; names are unique in a stage")
        return self

    @cached_property
    def compiled(self) -> tuple[tuple[Ruleset, tuple[tuple[Probe, Test], ...]], ...]:
        """Each ruleset with its rules as (what to measure, test of the score): what a decision walks through."""
        return tuple(
            (ruleset, tuple((Probe(rule.metric, rule.of or self.kind), rule.test()) for rule in ruleset.rules))
            for ruleset in self.rulesets
        )

    @cached_property
    def refusals(self) -> tuple[str, ...]:
        """Every text that may be answered instead of passing something on."""
        enforced = (ruleset.action for ruleset in self.rulesets if ruleset.mode == "enforce")
        return (self.refusal, *(text for action in enforced if isinstance(action, Override) for text in action.choices))

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        """Everything that the rules may ask for, each once; nothing while paused."""
        if self.paused:
            return ()
        return tuple(dict.fromkeys(probe for _, rules in self.compiled for probe, _ in rules))
