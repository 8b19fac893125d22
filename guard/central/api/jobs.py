"""Jobs: started, watched, cancelled, and what came of them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query

from guard.central.api.common import (
    PAGE,
    Caller,
    Centre,
    Limit,
    Named,
    Page,
    Readable,
    Row,
    Why,
    Writable,
)
from guard.central.jobs.ask import Ask
from guard.central.jobs.work import work_of
from guard.central.records import datasets, jobs
from guard.central.records.jobs import State

router = APIRouter(tags=["jobs"])

_Id = Annotated[str, Query(max_length=36, pattern=r"^[0-9a-f-]+$", description="`next` of the page before.")]


class NewJob(Why):
    """What to do with a dataset: `score` its rows with metrics, or `replay` them by a policy."""

    dataset: Named
    ask: Ask


class Job(Row):
    """A job: `done` of `total` rows have a result. `problem` says why it failed; `report` is the sum, once done."""

    id: str
    dataset: str
    kind: str
    ask: dict[str, Any]
    state: State
    done: int
    total: int
    problem: str
    report: dict[str, Any] | None
    created_at: float
    created_by: str
    started_at: float | None
    ended_at: float | None

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Job:
        """Of a row of the records, where what was asked and the report are text."""
        return cls.model_validate({**row._mapping, "ask": json.loads(row.ask), "report": json.loads(row.report)})


@router.post("/projects/{project}/jobs", status_code=201)
async def start_job(body: NewJob, found: Writable, central: Centre, by: Caller) -> Job:
    """Start a job. What cannot be done is refused here, before any row is looked at."""
    await work_of(central, found.id, body.ask, now=False)
    async with central.change(by, body.why) as change:
        dataset = await datasets.find(change.connection, found.id, body.dataset)
        identifier = await jobs.create(change, found.id, dataset, body.ask.model_dump(mode="json"))
        return Job.of(await jobs.find(change.connection, found.id, identifier))


@router.get("/projects/{project}/jobs")
async def list_jobs(
    found: Readable,
    central: Centre,
    state: State | None = None,
    kind: Annotated[str | None, Query(max_length=20, pattern="^[a-z]+$")] = None,
    dataset: Named | None = None,
    limit: Limit = PAGE,
    cursor: _Id | None = None,
) -> Page[Job]:
    """A project's jobs, the newest first: those in a state, of a kind, on a dataset."""
    async with central.database.reading() as connection:
        of = (await datasets.find(connection, found.id, dataset)).id if dataset else None
        rows = await jobs.page(connection, found.id, before=cursor, limit=limit + 1, state=state, kind=kind, dataset=of)
    items = [Job.of(row) for row in rows[:limit]]
    return Page(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/projects/{project}/jobs/{job}")
async def get_job(job: Named, found: Readable, central: Centre) -> Job:
    """A job and how far it is."""
    async with central.database.reading() as connection:
        return Job.of(await jobs.find(connection, found.id, job))


@router.get("/projects/{project}/jobs/{job}/results")
async def list_results(
    job: Named,
    found: Readable,
    central: Centre,
    limit: Limit = PAGE,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the page before.")] = 0,
) -> Page[dict[str, Any]]:
    """What came of each row so far, in the rows' order; `row` counts from 0."""
    async with central.database.reading() as connection:
        row = await jobs.find(connection, found.id, job)
        kept = await jobs.result_page(connection, row.id, after=cursor - 1, limit=limit + 1)
    items = [{"row": one.row, **json.loads(one.result)} for one in kept[:limit]]
    return Page(items=items, next=str(kept[limit].row) if len(kept) > limit else None)


@router.post("/projects/{project}/jobs/{job}/cancel")
async def cancel_job(job: Named, body: Why, found: Writable, central: Centre, by: Caller) -> Job:
    """End a job. What came of its rows so far stays."""
    async with central.change(by, body.why) as change:
        await jobs.cancel(change, await jobs.find(change.connection, found.id, job))
        return Job.of(await jobs.find(change.connection, found.id, job))
