"""Stages, as Galileo's clients make, change and pause them: central's own, with versions, under other names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from guard.central.api.common import Centre, Named
from guard.central.central import Central
from guard.central.checking import code_metrics
from guard.central.compat.galileo import names
from guard.central.compat.galileo.projects import project_of
from guard.central.compat.galileo.route import GalileoCaller, GalileoRoute, identity
from guard.central.compat.galileo.translate import guard_rulesets, side_of
from guard.central.compat.galileo.wire import SentRuleset, SentRulesets, SentStage
from guard.central.records import stages
from guard.central.stage import StageDocument
from guard.errors import Invalid

router = APIRouter(route_class=GalileoRoute)

#: Under which a version keeps the rulesets as they were sent.
EXTRA = "galileo"


class GalileoStage(BaseModel):
    """A stage."""

    id: str
    name: str
    project_id: str
    description: str | None
    type: str
    paused: bool
    version: int
    created_by: str

    @classmethod
    def of(cls, row: sa.Row[Any]) -> GalileoStage:
        """Of a row of the records."""
        return cls(
            id=row.id,
            name=row.name,
            project_id=row.project,
            description=row.description or None,
            type=row.type,
            paused=row.paused,
            version=row.version,
            created_by=identity(row.created_by),
        )


async def document_with(central: Central, project: str, sent: Sequence[SentRuleset]) -> StageDocument:
    """What a version of a stage with these rulesets says in a project (an id). Raises Invalid."""
    written = [rule.metric for ruleset in sent for rule in ruleset.rules]
    own = await code_metrics(central, project, names.of_projects(written, central.engine.metrics))
    # In a thread: a metric that is named for the first time is made, and what it is made of imported.
    rulesets = await asyncio.to_thread(guard_rulesets, sent, central.engine.metrics.child(own))
    kept = [ruleset.model_dump(mode="json") for ruleset in sent]
    return StageDocument(kind=side_of(rulesets), rulesets=rulesets, extra={EXTRA: kept})


@router.post("/projects/{project}/stages")
async def make_stage(project: Named, body: SentStage, central: Centre, by: GalileoCaller) -> GalileoStage:
    """Make a stage, at version 1."""
    found = await project_of(central, by, project, "write")
    if body.type == "local" and body.prioritized_rulesets:
        raise Invalid("the rulesets of a local stage come with every check", param="prioritized_rulesets")
    document = await document_with(central, found.id, body.prioritized_rulesets)
    async with central.change(by) as change:
        identifier = await stages.create(
            change,
            found.id,
            body.name,
            kind=body.type,
            description=body.description or "",
            document=document.plain(),
            paused=body.paused,
        )
        return GalileoStage.of(await stages.by_id(change.connection, identifier))


@router.get("/projects/{project}/stages")
async def find_stage(
    project: Named, central: Centre, by: GalileoCaller, stage_name: Named | None = None, stage_id: Named | None = None
) -> GalileoStage:
    """A stage by its id or name."""
    found = await project_of(central, by, project, "read")
    wanted = stage_id or stage_name
    if not wanted:
        raise Invalid("names no stage; give stage_id or stage_name", param="stage_name")
    async with central.database.reading() as connection:
        return GalileoStage.of(await stages.find(connection, found.id, wanted))


@router.post("/projects/{project}/stages/{stage}")
async def update_stage(
    project: Named, stage: Named, body: SentRulesets, central: Centre, by: GalileoCaller
) -> GalileoStage:
    """Give a central stage other rulesets, in its next version."""
    found = await project_of(central, by, project, "write")
    document = await document_with(central, found.id, body.prioritized_rulesets)
    async with central.change(by) as change:
        row = await stages.find(change.connection, found.id, stage)
        if row.type == "local":
            raise Invalid("the rulesets of a local stage come with every check", param="prioritized_rulesets")
        await stages.update(change, row, document.plain())
        return GalileoStage.of(await stages.by_id(change.connection, row.id))


@router.put("/projects/{project}/stages/{stage}")
async def pause_stage(
    project: Named, stage: Named, central: Centre, by: GalileoCaller, pause: bool = False
) -> GalileoStage:
    """Pause a stage, or resume it."""
    found = await project_of(central, by, project, "write")
    async with central.change(by) as change:
        row = await stages.find(change.connection, found.id, stage)
        await stages.pause(change, row, pause)
        return GalileoStage.of(await stages.by_id(change.connection, row.id))
