"""A stage: the rulesets of one point of a turn, in their order of priority."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from guard.metrics import ASKED, Side
from guard.metrics.duration import Duration
from guard.metrics.score import Probe
from guard.stages.action import Override, Redact
from guard.stages.rule import Test
from guard.stages.ruleset import Ruleset

#: Earlier messages that one can be read together with.
MOST_LOOKBACK = 64


class Stage(BaseModel):
    """`rulesets` are an OR in order of priority: the first triggered one names the action.

    `timeout` bounds all measurements together, in seconds. `on_failure` says what a failed or late metric means:
    `block` answers `refusal` instead, `allow` goes on. `stream` says how a streamed answer is held back: `window`
    releases text once the window it stands in was read, `whole` only at the end, `observe` at once: it is read behind,
    and what is found is only recorded. `check` says when a request is read: `before` the provider is asked, or
    `alongside` it; then nothing of the answer is released until the decision. `lookback` is how many earlier messages
    are read together with each one, for what is split over them. `reads` are the roles that the input stage reads
    beside those that are not trusted; `tools` are the definitions of tools.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Side
    rulesets: tuple[Ruleset, ...] = ()
    timeout: Duration = 2.0
    on_failure: Literal["block", "allow"] = "block"
    refusal: str = Field(default="This could not be checked, so it was not answered. Please try again.", min_length=1)
    stream: Literal["window", "whole", "observe"] = "window"
    check: Literal["before", "alongside"] = "before"
    lookback: int = Field(default=8, ge=0, le=MOST_LOOKBACK)
    reads: tuple[Literal["system", "developer", "assistant", "tools"], ...] = ()
    paused: bool = False
    _watched: bool = PrivateAttr(default=False)

    @model_validator(mode="after")
    def _only_input_reads_roles(self) -> Stage:
        if self.reads and self.kind != "input":
            raise ValueError(f"`reads` belongs to the input stage, which has the messages; remove it from {self.kind}")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Stage:
        names = [ruleset.name for ruleset in self.rulesets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rulesets are called '{name}'; names are unique in a stage")
        return self

    @model_validator(mode="after")
    def _only_requests_are_checked_alongside(self) -> Stage:
        if self.check == "alongside" and self.kind not in ASKED:
            raise ValueError(f"{self.kind} is read after the provider was asked; remove 'check: alongside'")
        return self

    @property
    def redacts(self) -> bool:
        """Whether something of the text may be replaced."""
        return any(one.mode == "enforce" and isinstance(one.action, Redact) for one in self.rulesets)

    @property
    def alongside(self) -> bool:
        """Whether the provider may be asked before the decision: not where that could take something out first."""
        return self.check == "alongside" and not self.redacts

    @cached_property
    def observed(self) -> Stage:
        """The same stage with nothing enforced."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        rulesets = tuple(ruleset.model_copy(update={"mode": "observe"}) for ruleset in self.rulesets)
        observed = Stage.model_validate({**fields, "rulesets": rulesets})
        observed._watched = True
        return observed

    @property
    def watched(self) -> bool:
        """Whether this is the `observed` face of a stage: nothing that it decided was acted on."""
        return self._watched

    @cached_property
    def compiled(self) -> tuple[tuple[Ruleset, tuple[tuple[Probe, Test], ...]], ...]:
        """Each ruleset with its rules as (what to measure, test of the score): what a decision walks through."""
        return tuple(
            (ruleset, tuple((rule.probe(self.kind), rule.test()) for rule in ruleset.rules))
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
