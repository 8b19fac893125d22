"""Code metrics: uploaded, built in the background, looked at."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from guard.central.api.common import (
    PAGE,
    Caller,
    Centre,
    Cursor,
    Limit,
    Name,
    Named,
    Number,
    Page,
    PlaceCursor,
    Readable,
    Row,
    Ruled,
    Why,
    page_of,
)
from guard.central.central import Central
from guard.central.code.environments import Status
from guard.central.code.package import Package
from guard.central.records import metrics
from guard.errors import Invalid

router = APIRouter(tags=["metrics"])


class Upload(Why):
    """Code to measure by, as a metric's next version, or its first."""

    name: Name
    package: Package


class MetricVersion(Row):
    """A version of a code metric; it never changes. `digest` names what was uploaded."""

    name: str
    version: int
    digest: str
    why: str
    created_at: float
    created_by: str


class Built(MetricVersion):
    """A version, and what became of it on the machine that answers.

    `log` tells why it is FAILED. `walls` are those around its process: empty where one stands, else why it does not.
    """

    package: Package
    status: Status
    log: str
    walls: dict[str, str]


Which = Annotated[Number | None, Query(description="The version; by default the newest.")]


@router.post("/projects/{project}/metrics", status_code=201)
async def upload_metric(body: Upload, found: Ruled, central: Centre, by: Caller) -> Built:
    """Upload code, which begins to be built. It runs on central's machine, so this is for admins."""
    if body.name in central.engine.metrics:
        raise Invalid(f"there is a metric '{body.name}' already; give yours another name", param="name")
    async with central.change(by, body.why) as change:
        number = await metrics.add(change, found.id, body.name, body.package)
        row = await metrics.find(change.connection, found.id, body.name, number)
    return await _built(central, row)


@router.get("/projects/{project}/metrics")
async def list_metrics(
    found: Readable, central: Centre, limit: Limit = PAGE, cursor: Cursor = None
) -> Page[MetricVersion]:
    """A project's code metrics by name, the newest version of each."""
    async with central.database.reading() as connection:
        rows = await metrics.page(connection, found.id, after=cursor, limit=limit + 1)
    return page_of(rows, limit, MetricVersion, "name")


@router.get("/projects/{project}/metrics/{metric}")
async def get_metric(metric: Named, found: Readable, central: Centre, version: Which = None) -> Built:
    """A version of a code metric, with what was uploaded and its status."""
    async with central.database.reading() as connection:
        row = await metrics.find(connection, found.id, metric, version)
    return await _built(central, row)


@router.get("/projects/{project}/metrics/{metric}/versions")
async def list_metric_versions(
    metric: Named, found: Readable, central: Centre, limit: Limit = PAGE, cursor: PlaceCursor = None
) -> Page[MetricVersion]:
    """A code metric's versions, the newest first."""
    async with central.database.reading() as connection:
        await metrics.find(connection, found.id, metric)
        rows = await metrics.version_page(connection, found.id, metric, before=cursor, limit=limit + 1)
    return page_of(rows, limit, MetricVersion, "version")


@router.post("/projects/{project}/metrics/{metric}/build")
async def build_metric(
    metric: Named, body: Why, found: Ruled, central: Centre, by: Caller, version: Which = None
) -> Built:
    """Build a version that FAILED once more."""
    async with central.change(by, body.why) as change:
        row = await metrics.find(change.connection, found.id, metric, version)
        await change.note("build metric", row.name, project=found.id, version=row.version)
    return await _built(central, row, again=True)


async def _built(central: Central, row: Any, *, again: bool = False) -> Built:
    package = Package.model_validate_json(row.package)
    state = await central.code.state(package, again=again)
    shown = {**row._mapping, "package": package, "status": state.status, "log": state.log, "walls": state.walls}
    return Built.model_validate(shown)
