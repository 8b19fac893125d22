"""The organisation's floor."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from guard.central.api.common import Caller, Centre, Row, Why
from guard.central.records import floors
from guard.central.releasing import set_floor
from guard.errors import NotFound

router = APIRouter(tags=["floor"])


class NewFloor(Why):
    """A policy whose rulesets stand first under every project's; those it names under `floors` cannot be removed.

    An empty text takes the floor away.
    """

    text: str = Field(max_length=1_000_000)


class Floor(Row):
    """The floor in force."""

    version: int
    text: str
    digest: str
    why: str
    created_at: float
    created_by: str


@router.get("/floor")
async def get_floor(central: Centre, by: Caller) -> Floor:
    """The floor in force. Keys of one project may read it too: their policies stand on it."""
    by.need("read")
    async with central.database.reading() as connection:
        row = await floors.newest(connection)
    if row is None:
        raise NotFound("there is no floor yet")
    return Floor.model_validate(row)


@router.put("/floor")
async def put_floor(body: NewFloor, central: Centre, by: Caller) -> Floor:
    """Put another floor under everything that is in force, at once. For an admin of the organisation."""
    by.need_all("admin")
    await set_floor(central, by, body.text, body.why)
    async with central.database.reading() as connection:
        return Floor.model_validate(await floors.newest(connection))
