"""A ruleset: rules that must all hold, and the action that follows when they do."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from guard.stages.action import Action, Passthrough
from guard.stages.rule import Rule

Mode = Literal["enforce", "observe"]


class Ruleset(BaseModel):
    """Triggered when all `rules` hold. In mode `observe` it is decided and recorded but never acted on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    description: str = ""
    rules: tuple[Rule, ...] = Field(min_length=1)
    action: Action = Passthrough()
    mode: Mode = "enforce"
