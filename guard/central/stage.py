"""What a version of a stage at the centre says."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guard.metrics import Side
from guard.metrics.duration import Duration
from guard.stages import Ruleset, Stage


class StageDocument(BaseModel):
    """A stage as a policy file has it, without its name and whether it is paused.

    `extra` holds what other products' clients keep with a stage of theirs; Guard itself does not read it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Side = "input"
    rulesets: tuple[Ruleset, ...] = Field(default=(), max_length=200)
    timeout: Duration | None = None
    on_failure: Literal["block", "allow"] | None = None
    refusal: str | None = Field(default=None, min_length=1, max_length=2_000)
    stream: Literal["window", "whole"] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_a_stage(self) -> StageDocument:
        self.stage("stage")
        return self

    def stage(self, name: str, *, paused: bool = False) -> Stage:
        """The stage to decide by."""
        written = self.model_dump(exclude={"extra"}, exclude_none=True, exclude_unset=True)
        return Stage.model_validate(
            {"kind": self.kind, **written, "name": name, **({"paused": True} if paused else {})}
        )

    def plain(self) -> dict[str, Any]:
        """The document as JSON has it, as far as it was written."""
        return {"kind": self.kind, **self.model_dump(mode="json", exclude_none=True, exclude_unset=True)}
