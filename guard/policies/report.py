"""What a proxy tells central of itself. Nobody but the one who reads it acts on it, so a lie harms nobody else."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=2**53)]
Label = Annotated[str, Field(max_length=400)]

#: What of a comparison is told: ways in which two versions differ, and events to look at.
WAYS, EVENTS = 50, 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Disagreement(_Part):
    """How a candidate and the version in force decided the same turns, since the proxy has both.

    `ways` counts those that came out otherwise, by `stage: in force → candidate`; `events` are ids of some of them.
    `failed` could not be compared, `dropped` were too many at once.
    """

    policy: Label
    in_force: Label
    candidate: Label
    compared: Count = 0
    disagreed: Count = 0
    failed: Count = 0
    dropped: Count = 0
    ways: dict[Label, Count] = Field(default_factory=dict, max_length=WAYS)
    events: tuple[Label, ...] = Field(default=(), max_length=EVENTS)


class Report(_Part):
    """A proxy's worker: what is in force there, what is wrong, and how its checks came out since it started.

    `started_at` is in UTC epoch seconds; `sequence` and `digest` are those of the bundle in force.
    """

    instance: str = Field(min_length=1, max_length=200)
    version: Label = ""
    started_at: float = Field(ge=0, le=1e11, allow_inf_nan=False)
    sequence: int = Field(ge=0, le=2**31 - 1)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    problem: str | None = Field(default=None, max_length=4_000)
    statuses: dict[Label, Count] = Field(default_factory=dict, max_length=20)
    events_lost: Count = 0
    disagreements: tuple[Disagreement, ...] = Field(default=(), max_length=50)
