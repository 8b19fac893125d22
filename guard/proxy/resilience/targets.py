"""Every place to get an answer from, in order: the upstream of the settings, then what stands in for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.errors import UpstreamError
from guard.proxy.resilience.breaker import State
from guard.proxy.resilience.target import NOT_THE_CALLERS, Target

#: Paths whose answers of two models cannot be used together: only the same model elsewhere stands in.
SAME_MODEL = frozenset({"embeddings"})


class Targets:
    """The first target and its stand-ins. Those at the same provider share its connections and its breaker."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = tuple(targets)

    @property
    def first(self) -> Target:
        """The upstream of the settings."""
        return self._targets[0]

    def of(self, model: str, path: str) -> Iterator[Target]:
        """Those that may answer what `model` was asked at `path`, in order."""
        yield self.first
        for target in self._targets[1:]:
            same = target.model in (None, model)
            if target.stands_in_for(model) and (same or path not in SAME_MODEL):
                yield target

    @property
    def states(self) -> dict[str, State]:
        """The breaker's state of each provider."""
        return {target.breaker.name: target.breaker.state for target in self._targets}


def falls_back(error: UpstreamError) -> bool:
    """Whether another provider may do better; one that refuses the request itself would be refused there too."""
    return error.cause == "key" or error.said is None or error.said >= 500 or error.said in NOT_THE_CALLERS
