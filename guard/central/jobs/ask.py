"""What a job can be asked for."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from guard.metrics import Side


class _Ask(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_Ask):
    """Measure every row with some metrics, on `side`, or on what suits row and metric.

    `label`, a field that says what should be found, gives figures: how well scores tell the one from the other, and at
    `threshold` in particular.
    """

    kind: Literal["score"]
    metrics: list[str] = Field(min_length=1, max_length=50)
    side: Side | None = None
    label: str | None = Field(default=None, max_length=200)
    threshold: float = Field(default=0.5, allow_inf_nan=False)


class Replay(_Ask):
    """Decide every row by a policy's version (default: the newest), and by the version `against`, if there is one."""

    kind: Literal["replay"]
    policy: str = Field(max_length=200)
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)
    against: int | None = Field(default=None, ge=1, le=2**31 - 1)


Ask: TypeAlias = Annotated[Score | Replay, Field(discriminator="kind")]
