"""Jobs: work on datasets that central does in the background."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from guard.client.face import F, Method
from guard.client.records import JobStatus, Page
from guard.client.room import USUAL, Place, Room
from guard.errors import JobFailed


class Job(Room[F]):
    """One job. `status` is how far it was when it was last asked."""

    def __init__(self, place: Place[F], status: JobStatus) -> None:
        super().__init__(place)
        self.status = status

    @property
    def id(self) -> str:
        """What central calls it."""
        return self.status.id

    def __repr__(self) -> str:
        return f"Job({_told(self.status)!r})"

    @Method
    async def get_status(
        self, *, verbose: bool = True, wait_until_finish: bool = False, poll_rate_sec: float = 5.0
    ) -> JobStatus:
        """How far the job is: now, or, asked every so many seconds, once it has ended; `verbose` prints each step."""
        said = ""
        while True:
            self.status = JobStatus.of(await self._http.ask("GET", self._in_project("jobs", self.id)))
            if verbose and _told(self.status) != said:
                said = _told(self.status)
                sys.stdout.write(said + "\n")
                sys.stdout.flush()
            if self.status.ended or not wait_until_finish:
                return self.status
            await self._http.sleep(poll_rate_sec)

    @Method
    async def cancel(self, *, why: str = "") -> JobStatus:
        """End the job; what came of its rows so far stays. Raises Conflict where it has ended."""
        self.status = JobStatus.of(
            await self._http.ask("POST", self._in_project("jobs", self.id, "cancel"), {"why": why})
        )
        return self.status

    @Method
    async def results(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[Mapping[str, Any]]:
        """What came of each row so far, in the rows' order; `row` counts from 0; all of them with `limit=None`."""
        return await self._listed(self._in_project("jobs", self.id, "results"), lambda one: one, limit, cursor)

    @Method
    async def report(self) -> dict[str, Any]:
        """The sum of a job that is done. Raises JobFailed where it is not, or not yet."""
        self.status = JobStatus.of(await self._http.ask("GET", self._in_project("jobs", self.id)))
        if self.status.report is None:
            raise JobFailed(f"there is no report: {_told(self.status)}")
        return self.status.report


class Jobs(Room[F]):
    """A project's jobs."""

    @Method
    async def score(
        self,
        dataset: str,
        metrics: Sequence[str],
        *,
        side: str | None = None,
        label: str | None = None,
        threshold: float = 0.5,
        why: str = "",
    ) -> Job[F]:
        """Measure a dataset's rows. With `label`, a field that says what should be found, the report holds figures."""
        ask = {"kind": "score", "metrics": list(metrics), "side": side, "label": label, "threshold": threshold}
        return await self._started(dataset, ask, why)

    @Method
    async def replay(
        self, dataset: str, policy: str, *, version: int | None = None, against: int | None = None, why: str = ""
    ) -> Job[F]:
        """Decide a dataset's rows by a policy's published version (default: the newest), and by another, `against`."""
        ask = {"kind": "replay", "policy": policy, "version": version, "against": against}
        return await self._started(dataset, ask, why)

    @Method
    async def get(self, identifier: str) -> Job[F]:
        """A job. Raises NotFound."""
        return self._job(await self._http.ask("GET", self._in_project("jobs", identifier)))

    @Method
    async def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        dataset: str | None = None,
        limit: int | None = USUAL,
        cursor: str | None = None,
    ) -> Page[Job[F]]:
        """The project's jobs, the newest first: in a state, of a kind, on a dataset; all of them with `limit=None`."""
        wanted = {"state": state, "kind": kind, "dataset": dataset}
        return await self._listed(self._in_project("jobs"), self._job, limit, cursor, **wanted)

    async def _started(self, dataset: str, ask: Mapping[str, Any], why: str) -> Job[F]:
        body = {"dataset": dataset, "ask": ask, "why": why}
        return self._job(await self._http.ask("POST", self._in_project("jobs"), body))

    def _job(self, answer: Mapping[str, Any]) -> Job[F]:
        return Job(self._place, JobStatus.of(answer))


def _told(status: JobStatus) -> str:
    share = f" ({status.done / status.total:.0%})" if status.total else ""
    problem = f": {status.problem}" if status.problem else ""
    return f"job {status.id} {status.state}, {status.done:,} of {status.total:,} rows{share}{problem}"
