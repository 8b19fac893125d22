"""Who was asked for one answer, and how each call came out: what the caller is told where it was not the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from guard.errors import UpstreamAway, UpstreamError

if TYPE_CHECKING:
    from guard.proxy.resilience.target import Target

ANSWERED = "ok"


@dataclass(slots=True)
class Tried:
    """The calls of one request in their order, each with how it came out."""

    calls: list[tuple[Target, str]] = field(default_factory=list)

    def note(self, target: Target, error: UpstreamError | None = None) -> None:
        """A call came to this."""
        self.calls.append((target, _outcome(error) if error else ANSWERED))

    def headers(self) -> dict[str, str]:
        """Nothing where the first call was answered; else every call, and the breakers that are not closed."""
        if not self.calls or (len(self.calls) == 1 and self.calls[0][1] == ANSWERED):
            return {}
        by_target: list[tuple[Target, list[str]]] = []
        for target, outcome in self.calls:
            if not by_target or by_target[-1][0] is not target:
                by_target.append((target, []))
            by_target[-1][1].append(outcome)
        told = {"x-guard-attempts": ", ".join(f"{_name(one.name)}={'+'.join(how)}" for one, how in by_target)}
        breakers = {one.breaker.name: one.breaker.state for one, _ in by_target}
        if trouble := [f"{_name(name)}={state}" for name, state in breakers.items() if state != "closed"]:
            told["x-guard-breaker"] = ", ".join(trouble)
        return told


def _outcome(error: UpstreamError) -> str:
    """The status that a provider answered with, or why there is none; `away` where it was not even asked."""
    if isinstance(error, UpstreamAway):
        return "away"
    return str(error.said or error.cause or "unclear")


def _name(name: str) -> str:
    return quote(name, ":/")
