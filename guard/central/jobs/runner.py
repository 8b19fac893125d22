"""Works on jobs in the background, one after the other, whoever started them; any process of central's may."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import sqlalchemy as sa
from pydantic import TypeAdapter

from guard.central.central import Central
from guard.central.jobs.ask import Ask
from guard.central.jobs.work import Work, work_of
from guard.central.records import datasets, jobs
from guard.errors import GuardError, NotFound, StoreError
from guard.evaluate.rows import Row, row_of

log = logging.getLogger(__name__)

#: Seconds between looks for jobs that another process took in, and between signs of life.
LOOK, BEAT = 1.0, 5.0
#: Seconds after which results are kept, and how many of them at the latest.
EVERY, MANY = 1.0, 200
#: Seconds between removals of old jobs.
TIDY = 3_600.0

ASK: TypeAdapter[Ask] = TypeAdapter(Ask)


class Runner:
    """Use it as an async context manager. What it is at when it ends goes on where it was, here or elsewhere.

    Results are kept as they come, so after an end of any kind a job goes on behind the last row that was kept.
    """

    def __init__(self, central: Central) -> None:
        self._central = central
        self._database = central.database
        self._name = secrets.token_hex(8)
        self._tidied = 0.0

    async def __aenter__(self) -> Runner:
        count = self._central.settings.jobs_at_once
        self._tasks = [asyncio.create_task(self._work(), name=f"guard-job-{number}") for number in range(count)]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                # Two jobs of one process are told apart too.
                runner = f"{self._name}-{secrets.token_hex(4)}"
                job = await self._claimed(runner)
                if job is None:
                    await self._tidy()
                    await asyncio.sleep(LOOK)
                else:
                    await self._do(job, runner)
            except StoreError as error:
                log.warning("jobs wait: %s", error)
                await asyncio.sleep(LOOK)

    async def _claimed(self, runner: str) -> sa.Row[Any] | None:
        async with self._database.reading() as connection:
            if not await jobs.waits(connection, time.time()):
                return None
        async with self._database.writing() as connection:
            return await jobs.claim(connection, runner, time.time())

    async def _do(self, job: sa.Row[Any], runner: str) -> None:
        """Bring a job to its end, unless it is taken away or central ends."""
        doing = asyncio.create_task(self._report(job, runner))
        beating = asyncio.create_task(self._beat(job.id, runner, doing))
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
            async with self._database.writing() as connection:
                await jobs.put_back(connection, job.id, runner)
            raise
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        if doing.cancelled():
            return
        error = doing.exception()
        if isinstance(error, StoreError):
            raise error  # the database is away; the job goes on once this process was silent for a while
        problem = "" if error is None else str(error) if isinstance(error, GuardError) else type(error).__name__
        if error is not None and not isinstance(error, GuardError):
            # Its words may hold a row's.
            log.error("job %s failed: %s", job.id, problem)
            problem = f"central failed on it ({problem})"
        state, report = ("done", doing.result()) if error is None else ("failed", "null")
        async with self._database.writing() as connection:
            await jobs.end(connection, job.id, runner, state, time.time(), problem=problem, report=report)

    async def _report(self, job: sa.Row[Any], runner: str) -> str:
        """All of a job: its report as JSON. Raises a GuardError where it cannot be done."""
        work = await work_of(self._central, job.project, ASK.validate_json(job.ask))
        await work.ready()
        await self._rows(job, runner, work)
        counted = 0
        async for rows in self._parsed(job.dataset, 0):
            counted += len(rows)
            async with self._database.reading() as connection:
                found = await jobs.result_page(connection, job.id, after=rows[0][0] - 1, limit=len(rows))
            for (_, row), kept in zip(rows, found, strict=True):
                work.add(row, orjson.loads(kept.result))
        if counted != job.total:
            raise NotFound("its dataset was taken away meanwhile")
        return orjson.dumps(await asyncio.to_thread(work.report)).decode()

    async def _rows(self, job: sa.Row[Any], runner: str, work: Work) -> None:
        """Give the rows that have none a result."""
        waiting: list[tuple[int, str]] = []
        kept_at = time.monotonic()
        async for rows in self._parsed(job.dataset, job.done):
            numbers = iter(number for number, _ in rows)
            async for result in work.results([row for _, row in rows]):
                waiting.append((next(numbers), orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY).decode()))
                if len(waiting) >= MANY or time.monotonic() - kept_at >= EVERY:
                    await self._keep(job.id, runner, waiting)
                    waiting, kept_at = [], time.monotonic()
        if waiting:
            await self._keep(job.id, runner, waiting)

    async def _keep(self, job: str, runner: str, found: list[tuple[int, str]]) -> None:
        async with self._database.writing() as connection:
            mine = await jobs.keep(connection, job, runner, found)
        if not mine:
            raise asyncio.CancelledError

    async def _parsed(self, dataset: str, start: int) -> AsyncIterator[list[tuple[int, Row]]]:
        """A dataset's rows, block by block, each with its number."""
        async for block in datasets.lines(self._database, dataset, start):
            yield [(number, row_of(line, f"row {number}")) for number, line in block]

    async def _beat(self, job: str, runner: str, doing: asyncio.Task[Any]) -> None:
        """Say again and again that this process works on the job; let go of one that was cancelled or taken over."""
        mine = True
        while mine:
            await asyncio.sleep(BEAT)
            try:
                async with self._database.writing() as connection:
                    mine = await jobs.hear(connection, job, runner, time.time())
            except StoreError as error:
                log.warning("job %s: %s", job, error)
        doing.cancel()

    async def _tidy(self) -> None:
        days, now = self._central.settings.job_days, time.time()
        if days and now - self._tidied > TIDY:
            self._tidied = now
            async with self._database.writing() as connection:
                await jobs.prune(connection, now - days * 86_400)
