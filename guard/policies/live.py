"""Policies that follow their source without a restart. Downloaded is not activated: only what was checked whole is."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from types import TracebackType

from guard.errors import PolicyError
from guard.policies.loaded import LoadedPolicy
from guard.policies.set import PolicySet
from guard.policies.source import Source

log = logging.getLogger(__name__)

#: Seconds after which what could not be loaded is tried again, though it did not change: a metric may need a network.
RETRY = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """What is in force, and what went wrong since: `revisions` are `name@revision`, times are UTC epoch seconds.

    `error` holds a line for each problem, `file:line: what and the fix`; None where source and policies agree.
    """

    revisions: tuple[str, ...] = ()
    loaded_at: float = 0.0
    checked_at: float = 0.0
    error: str | None = None


class LivePolicies:
    """The policies of a source, looked at every `interval` seconds while it is entered.

    `select` and `current` answer from what is in force, at once; loading and checking happen in a thread, and one
    assignment puts the new set in force. Where the source is broken or away the last good set stays, and `status` says
    why. Worker processes converge, since each looks for itself.
    """

    def __init__(self, source: Source, *, interval: float = 1.0) -> None:
        self.source = source
        self.interval = interval
        self.current = PolicySet(())
        self.status = Status()
        self._broken: str | None = None
        self._tried = 0.0
        self._watching: asyncio.Task[None] | None = None

    def select(
        self, app: str = "", model: str = "", route: str = "", *, name: str = "", user: str = "", session: str = ""
    ) -> LoadedPolicy:
        """The policy in force that names the turn most closely, or is called `name`. Raises NoPolicy without one."""
        return self.current.select(app, model, route, name=name, user=user, session=session)

    async def __aenter__(self) -> LivePolicies:
        """Loads, and begins to watch. Raises PolicyError where there is nothing good to begin with."""
        try:
            await asyncio.to_thread(self.load)
        except BaseException:
            self.source.close()
            raise
        self._watching = asyncio.create_task(self.watch(), name="guard-policies")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends watching."""
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.to_thread(self.source.close)

    async def watch(self) -> None:
        """Look for changes, for ever."""
        while True:
            await asyncio.sleep(self.interval)
            await asyncio.to_thread(self.look)

    def load(self) -> None:
        """Put in force what the source now gives. Raises PolicyError, and changes nothing, where it is broken."""
        policies = self.source.load()
        for policy in policies.all:
            policy.make_ready()
        self.current = policies
        now = time.time()
        self.status = Status(tuple(policy.label for policy in policies.policies), now, now)
        log.info("policies in force: %s", ", ".join(self.status.revisions))

    def look(self) -> None:
        """Load if the source changed. Raises nothing: what is wrong is in `status`, and in the log once."""
        try:
            overdue = self._broken is not None and time.monotonic() >= self._tried + RETRY
            if self.source.changed() or overdue:
                self._broken = self._problem_of_loading()
            problem = self._broken
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, what is in force stays and the next look comes
            problem = _told(error)
        if problem and problem != self.status.error:
            log.error("policies cannot be reloaded, so the last good ones stay: %s", problem)
        self.status = replace(self.status, checked_at=time.time(), error=problem)

    def _problem_of_loading(self) -> str | None:
        self._tried = time.monotonic()
        try:
            self.load()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new ones, the old ones stay
            return _told(error)
        return None


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, PolicyError) else f"{type(error).__name__}: {error}"
