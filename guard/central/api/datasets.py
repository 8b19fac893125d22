"""Datasets: rows that never change, for jobs to work on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from guard.central.api.common import (
    PAGE,
    Caller,
    Centre,
    Cursor,
    Limit,
    Name,
    Named,
    Page,
    Readable,
    Row,
    Why,
    Writable,
    page_of,
    refuse_unstorable,
)
from guard.central.records import datasets
from guard.errors import Invalid, SettingsError
from guard.evaluate.rows import row_of

router = APIRouter(tags=["datasets"])
_DIGEST = r"^[0-9a-f]{64}$"
#: Rows that a block may hold, and blocks that a dataset may.
ROWS, BLOCKS = 20_000, 10_000
_BODY = {"requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}


class NewDataset(Why):
    """Blocks that were uploaded, in their order; `digest` is the SHA-256 of all of them together."""

    name: Name
    description: str = Field(default="", max_length=2_000)
    digest: str = Field(pattern=_DIGEST)
    blocks: list[Annotated[str, Field(pattern=_DIGEST)]] = Field(min_length=1, max_length=BLOCKS)


class Dataset(Row):
    """A dataset. `digest` is the SHA-256 of its bytes, of which there are `size`."""

    id: str
    name: str
    description: str
    digest: str
    size: int
    rows: int
    created_at: float
    created_by: str


@router.put("/projects/{project}/blocks/{digest}", status_code=204, openapi_extra=_BODY)
async def keep_block(
    digest: Annotated[str, Path(pattern=_DIGEST)], request: Request, found: Writable, central: Centre
) -> Response:
    """Upload some whole lines of a dataset, each a JSON object, under their SHA-256. Again does no harm."""
    content = await request.body()
    rows = await asyncio.to_thread(_rows, content, digest)
    async with central.database.writing() as connection:
        await datasets.keep_block(
            connection, found.id, digest, content, rows, now=time.time(), most=central.settings.max_dataset
        )
    return Response(status_code=204)


@router.post("/projects/{project}/datasets", status_code=201)
async def create_dataset(body: NewDataset, found: Writable, central: Centre, by: Caller) -> Dataset:
    """Make a dataset of blocks. The same name with the same content is the one that is there already."""
    async with central.change(by, body.why) as change:
        identifier = await datasets.create(
            change,
            found.id,
            body.name,
            description=body.description,
            digest=body.digest,
            of=body.blocks,
            most=central.settings.max_dataset,
        )
        return Dataset.model_validate(await datasets.find(change.connection, found.id, identifier))


@router.get("/projects/{project}/datasets")
async def list_datasets(found: Readable, central: Centre, limit: Limit = PAGE, cursor: Cursor = None) -> Page[Dataset]:
    """A project's datasets, by name."""
    async with central.database.reading() as connection:
        rows = await datasets.page(connection, found.id, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Dataset, "name")


@router.get("/projects/{project}/datasets/{dataset}")
async def get_dataset(dataset: Named, found: Readable, central: Centre) -> Dataset:
    """A dataset by its name or id."""
    async with central.database.reading() as connection:
        return Dataset.model_validate(await datasets.find(connection, found.id, dataset))


@router.get("/projects/{project}/datasets/{dataset}/rows")
async def list_rows(
    dataset: Named,
    found: Readable,
    central: Centre,
    limit: Limit = PAGE,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the page before.")] = 0,
) -> Page[dict[str, Any]]:
    """A dataset's rows, in their order."""
    async with central.database.reading() as connection:
        row = await datasets.find(connection, found.id, dataset)
    lines: list[bytes] = []
    async for block in datasets.lines(central.database, row.id, cursor):
        lines += [line for _, line in block]
        if len(lines) >= limit:
            break
    after = cursor + limit
    return Page(items=[json.loads(line) for line in lines[:limit]], next=str(after) if after < row.rows else None)


@router.delete("/projects/{project}/datasets/{dataset}", status_code=204)
async def remove_dataset(
    dataset: Named, found: Writable, central: Centre, by: Caller, why: Annotated[str, Query(max_length=2_000)] = ""
) -> None:
    """Take a dataset away; jobs that work on it fail. What came of its rows stays with ended jobs."""
    async with central.change(by, why) as change:
        await datasets.remove(change, await datasets.find(change.connection, found.id, dataset))


def _rows(content: bytes, digest: str) -> int:
    """How many rows a block holds. Raises Invalid where it is not what it should be."""
    if hashlib.sha256(content).hexdigest() != digest:
        raise Invalid("the body has another SHA-256 than the path says", param="digest")
    rows = 0
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                refuse_unstorable(dict(row_of(line, f"line {number}").fields))
            except SettingsError as error:
                raise Invalid(str(error)) from None
            rows += 1
    if not 0 < rows <= ROWS:
        raise Invalid(f"a block holds 1 to {ROWS:,} rows, not {rows:,}")
    return rows
