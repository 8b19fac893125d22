"""The audit log."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from guard.central.api.common import PAGE, Caller, Centre, Limit, Named, Page, PlaceCursor, Row
from guard.central.records import audit, projects
from guard.errors import Forbidden

router = APIRouter(tags=["audit"])


class Line(Row):
    """Who changed what, when and why. `hash` covers the line and the `hash` of the one before."""

    place: int
    at: float
    key: str
    who: str
    action: str
    project: str | None
    subject: str
    detail: dict[str, Any]
    why: str
    hash: str

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Line:
        """Of a row of the records, where the detail is text."""
        return cls.model_validate({**row._mapping, "detail": json.loads(row.detail)})


class Whole(BaseModel):
    """Whether each line follows from the one before, and the place of the first that does not."""

    whole: bool
    broken_at: int | None


@router.get("/audit")
async def list_audit(
    central: Centre, by: Caller, project: Named | None = None, limit: Limit = PAGE, cursor: PlaceCursor = None
) -> Page[Line]:
    """What was changed, the newest first; of one project only where it is named, or the key is for it."""
    by.need("read")
    only = by.project
    async with central.database.reading() as connection:
        if project is not None:
            found = await projects.find(connection, project)
            by.need_in(found.id, "read")
            only = found.id
        rows = await audit.page(connection, projects=only, before=cursor, limit=limit + 1)
    items = [Line.of(row) for row in rows[:limit]]
    return Page(items=items, next=str(items[-1].place) if len(rows) > limit else None)


@router.get("/audit/check")
async def check_audit(central: Centre, by: Caller) -> Whole:
    """Go through the whole log and tell whether any line was changed or taken out."""
    if by.project is not None:
        raise Forbidden("the log is the organisation's, and the key is for one project only")
    by.need("read")
    async with central.database.reading() as connection:
        broken = await audit.broken_at(connection)
    return Whole(whole=broken is None, broken_at=broken)
