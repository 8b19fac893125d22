"""What a check came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from guard.errors import Blocked
from guard.metrics import Side, Turn
from guard.policies import LoadedPolicy
from guard.stages import Decision, explain


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to: the decision, and the turn to go on with, or the reply to give instead."""

    decision: Decision
    turn: Turn
    reply: str | None
    event: str
    policy: LoadedPolicy
    millis: float
    #: How many characters of each side a metric read.
    read: Mapping[Side, int] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        """Whether the text may be passed on, as it now stands in `turn`."""
        return self.reply is None

    @property
    def text(self) -> str:
        """The text to go on with: the reply, or the checked side's text with what was redacted replaced."""
        return self.reply if self.reply is not None else "\n".join(self.turn.passages(self.decision.stage.kind))

    @property
    def why(self) -> str:
        """What happened and why, in one sentence."""
        return explain(self.decision)

    def raise_if_blocked(self) -> None:
        """Raise Blocked where the text may not be passed on."""
        if self.reply is not None:
            raise Blocked(self.decision, self.reply)
