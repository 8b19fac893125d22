"""Jobs: what was asked for, how far it is, and what came of each row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.tables import job_results as results
from guard.central.tables import jobs as table
from guard.errors import Conflict, NotFound
from guard.store.ids import new_id

State: TypeAlias = Literal["pending", "running", "done", "failed", "cancelled"]
#: States that nothing comes after.
ENDED = ("done", "failed", "cancelled")
#: Jobs of a project that may wait.
WAITING = 1_000
#: Seconds after which a process that was not heard of no longer works on its job.
SILENT = 30.0
#: How often a job is begun, if the processes that work on it end without a word.
TRIES = 3

_c, _r = table.c, results.c


async def create(change: Change, project: str, dataset: sa.Row[Any], ask: Mapping[str, Any]) -> str:
    """A job that waits; its id, which sorts by time. Raises Conflict where too many wait."""
    waiting = sa.select(sa.func.count()).where(_c.project == project, _c.state == "pending")
    if (await change.connection.scalar(waiting) or 0) >= WAITING:
        raise Conflict(f"{WAITING:,} jobs of this project wait already; let them end, or cancel some")
    identifier = new_id(change.at)
    row = {"id": identifier, "project": project, "dataset": dataset.id, "kind": ask["kind"], "ask": json.dumps(ask)}
    more = {"state": "pending", "done": 0, "total": dataset.rows, "problem": "", "report": "null", "runner": ""}
    await change.connection.execute(sa.insert(table).values(row | more | {"heard_at": 0.0, "tries": 0} | change.made))
    await change.note("start job", identifier, project=project, dataset=dataset.id, kind=ask["kind"])
    return identifier


async def cancel(change: Change, job: sa.Row[Any]) -> None:
    """End a job; whoever works on it notices. Raises Conflict where it came to its end."""
    gone = await _end(change.connection, _c.id == job.id, "cancelled", f"by {change.by.label}", change.at)
    if not gone:
        raise Conflict(f"the job is {job.state} already")
    await change.note("cancel job", job.id, project=job.project)


async def find(connection: AsyncConnection, project: str, identifier: str) -> sa.Row[Any]:
    """A job. Raises NotFound."""
    query = sa.select(table).where(_c.project == project, _c.id == identifier)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound("the project has no such job", param="job")
    return row


async def page(
    connection: AsyncConnection, project: str, *, before: str | None, limit: int, **wanted: str | None
) -> Sequence[Any]:
    """A project's jobs, the newest first; `wanted` are columns that must hold just this."""
    equal = [_c[name] == value for name, value in wanted.items() if value is not None]
    query = sa.select(table).where(_c.project == project, *equal).order_by(_c.id.desc()).limit(limit)
    return (await connection.execute(query if before is None else query.where(_c.id < before))).all()


async def result_page(connection: AsyncConnection, job: str, *, after: int, limit: int) -> Sequence[Any]:
    """What came of the rows after the one of that number, in their order."""
    query = sa.select(results).where(_r.job == job, _r.row > after).order_by(_r.row).limit(limit)
    return (await connection.execute(query)).all()


async def waits(connection: AsyncConnection, now: float) -> bool:
    """Whether there is a job that nobody works on."""
    return bool(await connection.scalar(sa.select(sa.exists().where(_free(now)))))


async def claim(connection: AsyncConnection, runner: str, now: float) -> sa.Row[Any] | None:
    """The oldest job that nobody works on, now this runner's; None where there is none."""
    told = f"central ended {TRIES} times while it worked on this job; is it too much for the machine?"
    await _end(connection, _free(now) & (_c.tries >= TRIES), "failed", told, now)
    oldest = sa.select(_c.id).where(_free(now)).order_by(_c.id).limit(1)
    identifier = await connection.scalar(oldest)
    if identifier is None:
        return None
    mine = {"state": "running", "runner": runner, "heard_at": now, "tries": _c.tries + 1}
    begun = sa.func.coalesce(_c.started_at, now)
    await connection.execute(sa.update(table).where(_c.id == identifier).values(**mine, started_at=begun))
    return (await connection.execute(sa.select(table).where(_c.id == identifier))).first()


async def hear(connection: AsyncConnection, job: str, runner: str, now: float) -> bool:
    """Note that the runner works on the job; whether it still is the runner's."""
    done = await connection.execute(sa.update(table).where(_mine(job, runner)).values(heard_at=now))
    return bool(done.rowcount)


async def keep(connection: AsyncConnection, job: str, runner: str, found: Sequence[tuple[int, str]]) -> bool:
    """Keep what came of the next rows, by their numbers; False, and nothing, where the job is not the runner's."""
    values = {"done": found[-1][0] + 1}
    if not (await connection.execute(sa.update(table).where(_mine(job, runner)).values(values))).rowcount:
        return False
    await connection.execute(sa.insert(results), [{"job": job, "row": row, "result": text} for row, text in found])
    return True


async def end(
    connection: AsyncConnection,
    job: str,
    runner: str,
    state: State,
    now: float,
    *,
    problem: str = "",
    report: str = "null",
) -> None:
    """Bring the runner's job to its end."""
    await _end(connection, _mine(job, runner), state, problem, now, report)


async def put_back(connection: AsyncConnection, job: str, runner: str) -> None:
    """Leave the runner's job to whoever takes it next, from the row on that it has come to."""
    values = {"state": "pending", "runner": "", "tries": _c.tries - 1}
    await connection.execute(sa.update(table).where(_mine(job, runner)).values(values))


async def prune(connection: AsyncConnection, before: float) -> None:
    """Remove jobs that ended before then, with their results."""
    old = sa.select(_c.id).where(_c.ended_at < before)
    await connection.execute(sa.delete(results).where(_r.job.in_(old.scalar_subquery())))
    await connection.execute(sa.delete(table).where(_c.ended_at < before))


def _free(now: float) -> sa.ColumnElement[bool]:
    return (_c.state == "pending") | (_c.state == "running") & (_c.heard_at < now - SILENT)


def _mine(job: str, runner: str) -> sa.ColumnElement[bool]:
    return (_c.id == job) & (_c.runner == runner) & (_c.state == "running")


async def _end(
    connection: AsyncConnection, which: Any, state: State, problem: str, now: float, report: str = "null"
) -> int:
    values = {"state": state, "problem": problem[:2_000], "report": report, "ended_at": now}
    return (await connection.execute(sa.update(table).where(which, _c.state.not_in(ENDED)).values(values))).rowcount
