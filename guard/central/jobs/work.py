"""From what a job was asked for to what does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from guard.central.central import Central
from guard.central.checking import code_metrics, loaded_policy
from guard.central.jobs.ask import Ask, Score
from guard.central.jobs.replay import ReplayWork
from guard.central.jobs.score import ScoreWork
from guard.central.records import policies
from guard.errors import Conflict
from guard.evaluate import Row
from guard.policies import LoadedPolicy


class Work(Protocol):
    """Gives each row of a dataset a result, and sums them up; the sum is taken after all rows, from what was kept."""

    async def ready(self) -> None:
        """Load what it takes."""
        ...

    def results(self, rows: Sequence[Row]) -> AsyncIterator[dict[str, Any]]:
        """What comes of these rows, in their order, as plain JSON."""
        ...

    def add(self, row: Row, result: dict[str, Any]) -> None:
        """Take a row and its result into the sum."""
        ...

    def report(self) -> dict[str, Any]:
        """The sum."""
        ...


async def work_of(central: Central, project: str, ask: Ask, *, now: bool = True) -> Work:
    """What does the job. Raises a GuardError where it cannot be done.

    With `now` it is to be done at once: code metrics that are being built are waited for.
    """
    if isinstance(ask, Score):
        own = await code_metrics(central, project, ask.metrics, built=now)
        return ScoreWork(ask, central.engine.metrics.child(own))
    policy = await _version(central, project, ask.policy, ask.version)
    return ReplayWork(policy, await _version(central, project, ask.policy, ask.against) if ask.against else None)


async def _version(central: Central, project: str, name: str, number: int | None) -> LoadedPolicy:
    async with central.database.reading() as connection:
        row = await policies.find(connection, project, name)
        if not (number or row.version):
            raise Conflict(f"nothing of policy '{name}' is published yet; publish it", param="ask.policy")
        found = await policies.version(connection, project, name, number or row.version)
    return await loaded_policy(central, name, found.text)
