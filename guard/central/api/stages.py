"""Stages at the centre: made, given new versions, paused, and asked."""

from __future__ import annotations

import json
from typing import Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import Field

from guard.central.api.common import (
    PAGE,
    Body,
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
    Usable,
    Why,
    Writable,
    page_of,
)
from guard.central.central import Central
from guard.central.checking import Checked, check_stage, refuse_stage
from guard.central.records import stages
from guard.central.stage import StageDocument
from guard.errors import Invalid
from guard.metrics import Message, Turn
from guard.stages import Ruleset

router = APIRouter(tags=["stages"])


class NewStage(Why):
    """A stage to make. The rulesets of a `local` one come with every check; those of a `central` one are kept here."""

    name: Name
    type: Literal["local", "central"] = "central"
    description: str = Field(default="", max_length=2_000)
    paused: bool = False
    document: StageDocument = StageDocument()


class NewVersion(Why):
    """What a stage says from now on, in whole."""

    document: StageDocument


class Stage(Row):
    """A stage. `version` is the newest one, which checks use where they name none."""

    id: str
    project: str
    name: str
    type: Literal["local", "central"]
    description: str
    paused: bool
    version: int
    created_at: float
    created_by: str
    updated_at: float


class Version(Row):
    """A version of a stage; it never changes. `revision` is a hash of the document."""

    version: int
    revision: str
    document: dict[str, Any]
    why: str
    created_at: float
    created_by: str

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Version:
        """Of a row of the records, where the document is text."""
        return cls.model_validate({**row._mapping, "document": json.loads(row.document)})


class Ask(Body):
    """What to check. `rulesets` are those of a local stage; `version` is an older one of a central stage."""

    input: str = ""
    output: str = ""
    documents: list[str] = Field(default_factory=list, max_length=1_000)
    rulesets: tuple[Ruleset, ...] | None = None
    version: Number | None = None
    labels: dict[str, str] = Field(default_factory=dict, max_length=50)

    def turn(self, labels: dict[str, str]) -> Turn:
        """The turn that is described."""
        messages = (Message("user", (self.input,)),) if self.input else ()
        output = (self.output,) if self.output else ()
        return Turn(messages=messages, output=output, documents=tuple(self.documents), labels=labels)


@router.post("/projects/{project}/stages", status_code=201)
async def create_stage(body: NewStage, found: Writable, central: Centre, by: Caller) -> Stage:
    """Make a stage, at version 1."""
    if body.type == "local" and body.document.rulesets:
        raise Invalid("the rulesets of a local stage come with every check; leave them out", param="document.rulesets")
    await refuse_stage(central, found.id, body.document)
    async with central.change(by, body.why) as change:
        identifier = await stages.create(
            change,
            found.id,
            body.name,
            kind=body.type,
            description=body.description,
            document=body.document.plain(),
            paused=body.paused,
        )
        return Stage.model_validate(await stages.by_id(change.connection, identifier))


@router.get("/projects/{project}/stages")
async def list_stages(found: Readable, central: Centre, limit: Limit = PAGE, cursor: Cursor = None) -> Page[Stage]:
    """A project's stages, by name."""
    async with central.database.reading() as connection:
        rows = await stages.page(connection, found.id, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Stage, "name")


@router.get("/projects/{project}/stages/{stage}")
async def get_stage(stage: Named, found: Readable, central: Centre) -> Stage:
    """A stage by its name or id."""
    async with central.database.reading() as connection:
        return Stage.model_validate(await stages.find(connection, found.id, stage))


@router.post("/projects/{project}/stages/{stage}/versions", status_code=201)
async def add_version(stage: Named, body: NewVersion, found: Writable, central: Centre, by: Caller) -> Version:
    """Give a central stage its next version."""
    await refuse_stage(central, found.id, body.document)
    async with central.change(by, body.why) as change:
        row = await stages.find(change.connection, found.id, stage)
        if row.type == "local" and body.document.rulesets:
            raise Invalid("the rulesets of a local stage come with every check", param="document.rulesets")
        number = await stages.update(change, row, body.document.plain())
        return Version.of(await stages.version(change.connection, row.id, number))


@router.get("/projects/{project}/stages/{stage}/versions")
async def list_versions(
    stage: Named, found: Readable, central: Centre, limit: Limit = PAGE, cursor: PlaceCursor = None
) -> Page[Version]:
    """A stage's versions, the newest first."""
    async with central.database.reading() as connection:
        row = await stages.find(connection, found.id, stage)
        rows = await stages.version_page(connection, row.id, before=cursor, limit=limit + 1)
    items = [Version.of(row) for row in rows[:limit]]
    return Page(items=items, next=str(items[-1].version) if len(rows) > limit else None)


@router.get("/projects/{project}/stages/{stage}/versions/{version}")
async def get_version(stage: Named, version: Number, found: Readable, central: Centre) -> Version:
    """One version of a stage."""
    async with central.database.reading() as connection:
        row = await stages.find(connection, found.id, stage)
        return Version.of(await stages.version(connection, row.id, version))


@router.post("/projects/{project}/stages/{stage}/pause")
async def pause_stage(stage: Named, body: Why, found: Writable, central: Centre, by: Caller) -> Stage:
    """Pause a stage: checks answer `paused`. What the organisation's floor holds there stays in force."""
    return await _pause(central, found.id, stage, by, body.why, True)


@router.post("/projects/{project}/stages/{stage}/resume")
async def resume_stage(stage: Named, body: Why, found: Writable, central: Centre, by: Caller) -> Stage:
    """Resume a paused stage."""
    return await _pause(central, found.id, stage, by, body.why, False)


@router.post("/projects/{project}/stages/{stage}/check")
async def check(stage: Named, body: Ask, found: Usable, central: Centre, by: Caller) -> Checked:
    """Have a turn checked by a stage: what was decided, why, and what to say or go on with."""
    async with central.database.reading() as connection:
        row = await stages.find(connection, found.id, stage)
    labels = {**body.labels, "app": by.app or body.labels.get("app", "")}
    return await check_stage(central, row, body.turn(labels), labels, version=body.version, rulesets=body.rulesets)


async def _pause(central: Central, project: str, stage: str, by: Any, why: str, paused: bool) -> Stage:
    async with central.change(by, why) as change:
        row = await stages.find(change.connection, project, stage)
        await stages.pause(change, row, paused)
        return Stage.model_validate(await stages.by_id(change.connection, row.id))
