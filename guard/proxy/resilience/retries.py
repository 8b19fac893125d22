"""When a call that failed is made again, and after how long."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random

from guard.errors import UpstreamAway, UpstreamError

#: Retries may be one in so many calls, beyond the first few: a provider that fails is not asked many times as much.
ONE_IN = 5
FEW = 10.0


@dataclass(slots=True)
class Retries:
    """At most `most` of them a call, for what `on` names: statuses, and causes as UpstreamError has them.

    The pauses before them are random, up to `pause` seconds at first, up to twice as long for each further one, never
    over `longest`. Where the provider says how long to wait that holds, and no retry is made if it is over `longest`.
    Shared by all calls to a provider.
    """

    most: int
    on: Collection[int | str]
    pause: float = 0.25
    longest: float = 5.0
    random: Random = field(default_factory=Random)
    _saved: float = FEW

    def called(self) -> None:
        """A first call is made: it earns a part of a retry."""
        self._saved = min(FEW, self._saved + 1 / ONE_IN)

    def wait(self, error: UpstreamError, made: int) -> float | None:
        """The seconds before the next retry after `made` ones; None: there is none. One that is given is used up."""
        if made >= self.most or not self._worth_it(error) or self._saved < 1:
            return None
        wait = self.random.uniform(0, min(self.longest, self.pause * 2**made))
        if error.retry_after is not None:
            if error.retry_after > self.longest:
                return None
            wait = max(wait, error.retry_after)
        self._saved -= 1
        return wait

    def _worth_it(self, error: UpstreamError) -> bool:
        if isinstance(error, UpstreamAway):
            return False
        return error.cause in self.on or error.said in self.on
