"""The fleet: what each proxy has in force, who lags or is silent, and how candidates compare."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel

from guard.central.api.bundle import current
from guard.central.api.common import PAGE, Caller, Centre, Followed, Limit, Named, Page, Readable, refuse_unstorable
from guard.central.hub import Place
from guard.central.records import fleet, projects, releases
from guard.errors import Invalid
from guard.policies.bundle import Envelope, Environment
from guard.policies.report import WAYS, Report

router = APIRouter(tags=["fleet"])

#: Reports that a comparison is summed up from.
SUMMED = 1_000


class Proxy(BaseModel):
    """A proxy's worker and its last report.

    `lags` is how many releases it is behind, `silent` whether it has not reported for `silent_after` seconds, `wrong`
    whether what it says is in force was never released.
    """

    project: str
    environment: Environment
    key: str
    reported_at: float
    newest: int
    lags: int
    silent: bool
    wrong: bool
    report: Report


class Versions(BaseModel):
    """How a candidate and the version in force decided the same turns, over all proxies that told of both."""

    policy: str
    in_force: str
    candidate: str
    compared: int
    disagreed: int
    failed: int
    dropped: int
    ways: dict[str, int]
    events: list[str]
    proxies: int


@router.post("/projects/{project}/environments/{environment}/reports", status_code=204)
async def take_report(environment: Environment, body: Report, found: Followed, central: Centre, by: Caller) -> None:
    """Take a proxy's report on itself. Nothing but what is shown of this proxy comes of it."""
    refuse_unstorable(body.model_dump())
    async with central.database.writing() as connection:
        await fleet.keep(connection, found.id, environment, by.key, body, time.time())


@router.get("/fleet")
async def list_fleet(
    central: Centre,
    by: Caller,
    project: Named | None = None,
    limit: Limit = PAGE,
    cursor: Annotated[str | None, Query(max_length=2_000, description="`next` of the page before.")] = None,
) -> Page[Proxy]:
    """Every proxy that reported in the last day, and whether it lags or is silent."""
    by.need("read")
    after = _read_cursor(cursor)
    only = by.project
    async with central.database.reading() as connection:
        if project is not None:
            found = await projects.find(connection, project)
            by.need_in(found.id, "read")
            only = found.id
        rows = await fleet.page(connection, only, after=after, limit=limit + 1)
        released = {(row.project, row.environment) for row in await releases.all_newest(connection, only)}
        names = {row.project: (await projects.find(connection, row.project)).name for row in rows[:limit]}
    shown = {(row.project, row.environment) for row in rows[:limit]}
    now = {place: await current(central, *place) for place in sorted(shown & released)}
    items = [_shown(row, names, now, central.settings.silent_after) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(items=items, next=_cursor(last) if last else None)


@router.get("/projects/{project}/environments/{environment}/disagreement")
async def disagreement(environment: Environment, found: Readable, central: Centre) -> list[Versions]:
    """How candidates and the versions in force decided the same turns, summed up over the proxies' last reports."""
    async with central.database.reading() as connection:
        rows = await fleet.of(connection, found.id, environment, SUMMED)
    sums: dict[tuple[str, str, str], Versions] = {}
    for row in rows:
        for one in Report.model_validate_json(row.report).disagreements:
            key = (one.policy, one.in_force, one.candidate)
            none = dict.fromkeys(("compared", "disagreed", "failed", "dropped", "proxies"), 0)
            names = dict(zip(("policy", "in_force", "candidate"), key, strict=True))
            total = sums.setdefault(key, Versions.model_validate({**names, **none, "ways": {}, "events": []}))
            for name in ("compared", "disagreed", "failed", "dropped"):
                setattr(total, name, getattr(total, name) + getattr(one, name))
            total.ways = dict((Counter(total.ways) + Counter(one.ways)).most_common(WAYS))
            total.events = [*total.events, *one.events][:100]
            total.proxies += 1
    return list(sums.values())


def _shown(
    row: sa.Row[Any], names: Mapping[str, str], now: Mapping[Place, tuple[int, Envelope]], silent_after: float
) -> Proxy:
    report = Report.model_validate_json(row.report)
    sequence, envelope = now.get((row.project, row.environment), (0, None))
    forged = report.sequence == sequence and (envelope is None or report.digest != envelope.digest)
    return Proxy(
        project=names[row.project],
        environment=row.environment,
        key=row.key,
        reported_at=row.at,
        newest=sequence,
        lags=max(0, sequence - report.sequence),
        silent=time.time() - row.at > silent_after,
        wrong=forged or report.sequence > sequence,
        report=report,
    )


def _cursor(row: sa.Row[Any]) -> str:
    return orjson.dumps([row.project, row.environment, row.key, row.instance]).decode()


def _read_cursor(cursor: str | None) -> list[str] | None:
    if cursor is None:
        return None
    try:
        place = orjson.loads(cursor)
        if (
            isinstance(place, list)
            and len(place) == 4
            and all(isinstance(one, str) and "\0" not in one for one in place)
        ):
            return place
    except ValueError:
        pass
    raise Invalid("this is no cursor; give 'next' of the page before", param="cursor")
