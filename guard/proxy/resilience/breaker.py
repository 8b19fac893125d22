"""A circuit breaker: a provider that keeps failing is left alone for a while, then tried with one request."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from guard.errors import UpstreamAway

log = logging.getLogger(__name__)

State = Literal["closed", "open", "half-open"]

#: How many of the latest calls are looked at, and the seconds after which one counts no more.
CALLS, SECONDS = 20, 30.0
#: After each failed trial the pause doubles, up to this many seconds.
LONGEST = 60.0


class Breaker:
    """Opens after `failures` of the latest calls failed, if these are at least half of them. 0: never.

    Open, it refuses calls for `pause` seconds. Then it is half open: one call is let through as a trial, and closes it
    or opens it again for twice as long.
    """

    def __init__(self, name: str, *, failures: int, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._failures, self._pause, self._clock = failures, pause, clock
        self._latest: deque[tuple[float, bool]] = deque(maxlen=max(CALLS, 2 * failures))
        self._opened = 0
        self._until = 0.0
        self._on_trial = False

    @property
    def state(self) -> State:
        """`closed`: calls go through; `open`: none does; `half-open`: the next one is, or one now is, a trial."""
        if not self._opened:
            return "closed"
        return "half-open" if self._on_trial or self._clock() >= self._until else "open"

    def enter(self) -> bool:
        """Ask to make a call; whether it is the trial, to be given back with its outcome. Raises UpstreamAway."""
        if not self._opened:
            return False
        wait = self._until - self._clock()
        if wait > 0 or self._on_trial:
            wait = max(1.0, math.ceil(wait))
            told = f"the provider {self.name} fails too often and is left alone; try again in {wait:.0f} s"
            raise UpstreamAway(told, retry_after=wait)
        self._on_trial = True
        return True

    def leave(self, trial: bool, failed: bool | None) -> None:
        """A call has ended; `failed` None: without telling anything, as when its caller hung up."""
        if trial:
            self._on_trial = False
            if failed:
                self._open()
            elif failed is False:
                log.warning("provider %s answers again", self.name)
                self._opened = 0
                self._latest.clear()
        elif not self._opened and failed is not None and self._failures:
            self._count(failed)

    def _count(self, failed: bool) -> None:
        now = self._clock()
        self._latest.append((now, failed))
        if not failed:
            return
        while self._latest[0][0] <= now - SECONDS:
            self._latest.popleft()
        failures = sum(one for _, one in self._latest)
        if failures >= self._failures and 2 * failures >= len(self._latest):
            self._open()

    def _open(self) -> None:
        pause = min(LONGEST, self._pause * 2**self._opened)
        self._opened += 1
        self._until = self._clock() + pause
        log.warning("provider %s fails too often: left alone for %g s", self.name, pause)
