"""An action: what happens when a ruleset is triggered. Passthrough, override or redact, each with its subscriptions."""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl


class Status(StrEnum):
    """How a rule, a ruleset or a stage came out."""

    TRIGGERED = "triggered"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    PAUSED = "paused"
    NOT_TRIGGERED = "not_triggered"
    SKIPPED = "skipped"


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subscription(_Written):
    """A URL that is told of a stage's outcome when it is one of `statuses`."""

    url: HttpUrl
    statuses: tuple[Status, ...] = (Status.TRIGGERED,)


class Passthrough(_Written):
    """Nothing is changed; the app reads the decision and acts itself."""

    type: Literal["passthrough"] = "passthrough"
    subscriptions: tuple[Subscription, ...] = ()


class Override(_Written):
    """One of `choices`, picked at random, is answered instead of the text."""

    type: Literal["override"]
    choices: tuple[str, ...] = Field(min_length=1)
    subscriptions: tuple[Subscription, ...] = ()

    def choose(self, random: Random) -> str:
        """One of the choices; the same one for the same seed."""
        return random.choice(self.choices)


class Redact(_Written):
    """What the ruleset's metrics found is replaced.

    `labels` limits it to these labels; by default those that the rules ask for, or all that were found. `mask` is what
    stands instead: `label` ([EMAIL_1]), `fake` (a made-up value of the same form), `hash` ([EMAIL_5f2a9c01]), `last4`
    (all but the last four letters and digits as *) or `stars` (as many * as characters). With `restore` (`label` and
    `fake`) the answer gets the original back where the model repeats what stands for it.
    """

    type: Literal["redact"]
    labels: tuple[str, ...] = ()
    mask: Literal["label", "fake", "hash", "last4", "stars"] = "label"
    restore: bool = False
    subscriptions: tuple[Subscription, ...] = ()


Action = Annotated[Passthrough | Override | Redact, Field(discriminator="type")]
