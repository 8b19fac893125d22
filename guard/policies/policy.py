"""A policy as people write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guard.metrics.turn import SIDES
from guard.policies.scope import AppliesTo
from guard.stages import Stage


class Policy(BaseModel):
    """A policy file as it is written.

    `extends` names the policy it builds on; `floors` are rulesets that policies built on this one cannot take away;
    `without` are rulesets of the base that this one does take away; `metrics` are its own, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")
    description: str = ""
    extends: str | None = None
    without: tuple[str, ...] = ()
    applies_to: AppliesTo = AppliesTo()
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)
    stages: dict[str, Stage] = Field(default_factory=dict)
    floors: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _name_stages(cls, data: Any) -> Any:
        """A stage's key is its name, and its kind too where the key is one."""
        if not isinstance(data, Mapping) or not isinstance(data.get("stages"), Mapping):
            return data
        stages = {}
        for key, stage in data["stages"].items():
            if isinstance(stage, Mapping):
                kind = {"kind": key} if key in SIDES else {}
                stage = {**kind, **stage, "name": key}
            stages[key] = stage
        return {**data, "stages": stages}

    @model_validator(mode="after")
    def _one_stage_a_kind(self) -> Policy:
        kinds = [stage.kind for stage in self.stages.values()]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise ValueError(f"two stages are of kind '{kind}'; put their rulesets into one")
        return self

    @property
    def ruleset_names(self) -> set[str]:
        """The names of all rulesets, whatever their stage."""
        return {ruleset.name for stage in self.stages.values() for ruleset in stage.rulesets}
