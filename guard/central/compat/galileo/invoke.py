"""A check that a Galileo client asks for: which stage, what it says, and its verdict by central's engine."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import sqlalchemy as sa
from fastapi import APIRouter

from guard.central.api.common import Centre
from guard.central.central import Central
from guard.central.checking import document_of, floor_text, verdict_of
from guard.central.compat.galileo import names
from guard.central.compat.galileo.projects import project_of
from guard.central.compat.galileo.response import Asked, broken, response
from guard.central.compat.galileo.route import GalileoCaller, GalileoRoute
from guard.central.compat.galileo.stages import EXTRA, document_with
from guard.central.compat.galileo.translate import guard_rulesets
from guard.central.compat.galileo.wire import Invocation, SentRuleset
from guard.central.principal import Principal
from guard.central.records import projects, stages
from guard.central.stage import StageDocument
from guard.errors import Conflict, Invalid, NotFound, PolicyError
from guard.metrics import Message, Side, Turn

router = APIRouter(route_class=GalileoRoute)

#: Seconds that a check may be given. None at all is as little as there is.
_LEAST, _MOST = 0.001, 600.0


class _Said(NamedTuple):
    """What a stage says, and the rulesets as Galileo has them, by the names that Guard gave them."""

    document: StageDocument
    written: dict[str, dict[str, Any]]


@router.post("/protect/invoke")
async def invoke(body: Invocation, central: Centre, by: GalileoCaller) -> dict[str, Any]:
    """Have a text checked by a stage."""
    received = time.time_ns()
    stage = await _stage(central, by, body)
    said = await _said(central, stage, body)
    kept, present = said.document, _present(body)
    asked = [one for one in kept.rulesets if {rule.of or kept.kind for rule in one.rules} <= present]
    checked = kept.model_copy(update={"rulesets": tuple(asked)})
    own = names.own({rule.metric for one in asked for rule in one.rules}, central.engine.metrics)
    turn = _turn(body, {**(body.metadata or {}), "app": by.app or ""})
    about = Asked(body, stage, body.stage_version or stage.version, said.written, received)
    try:
        verdict = await verdict_of(central, stage, checked, turn, turn.labels, own)
    except PolicyError:
        # Nothing was checked then, the organisation's floor neither.
        return broken(about, checked.stage(stage.name).refusal)
    return response(about, verdict)


async def _said(central: Central, stage: sa.Row[Any], body: Invocation) -> _Said:
    """What the stage says to this payload. Raises Invalid where nothing of it is on the side the stage is for."""
    sent = body.prioritized_rulesets
    if stage.type == "central" and sent:
        raise Invalid("the stage is central: its rulesets are kept; leave them out", param="prioritized_rulesets")
    kept = await document_of(central, stage, version=body.stage_version)
    local = stage.type == "local"
    read = await (document_with(central, stage.project, sent) if local else _sent(central, stage.project, kept))
    if read is None:
        if kept.kind not in _present(body):
            raise Invalid(f"nothing on side '{kept.kind}' to check; give it", param=f"payload.{kept.kind}")
        written = {one.name: one.model_dump(mode="json") for one in kept.rulesets}
        timeout = min(kept.timeout or _MOST, _timeout(body))
        return _Said(kept.model_copy(update={"timeout": timeout}), written)
    kept = read
    kind: Side = "output" if body.payload.output else "input"
    more: dict[str, Any] = {"kind": kind, "timeout": _timeout(body)}
    floor = central.engine.floor(await floor_text(central))
    if floor is None or not floor.has(kind):
        # To Galileo, what fails or is late does not trigger. Where the organisation has a floor, that says.
        more["on_failure"] = "allow"
    written = dict(zip((one.name for one in kept.rulesets), kept.extra[EXTRA], strict=True))
    return _Said(kept.model_copy(update=more), written)


async def _sent(central: Central, project: str, kept: StageDocument) -> StageDocument | None:
    """The rulesets as a Galileo client sent them, as they are read now; None where others have changed them since.

    A metric that the project has by now, and had not when they were sent, is no change of theirs.
    """
    if EXTRA not in kept.extra:
        return None
    sent = [SentRuleset.model_validate(one) for one in kept.extra[EXTRA]]
    now = await document_with(central, project, sent)
    same = now.rulesets == kept.rulesets or guard_rulesets(sent, central.engine.metrics) == kept.rulesets
    return now if same else None


def _timeout(body: Invocation) -> float:
    return min(max(body.timeout, _LEAST), _MOST)


def _present(body: Invocation) -> set[Side]:
    sides: tuple[Side, ...] = ("input", "output")
    return {side for side in sides if getattr(body.payload, side)}


def _turn(body: Invocation, labels: dict[str, str]) -> Turn:
    payload = body.payload
    return Turn(
        messages=(Message("user", (payload.input,)),) if payload.input else (),
        output=(payload.output,) if payload.output else (),
        labels=labels,
    )


async def _stage(central: Central, by: Principal, body: Invocation) -> sa.Row[Any]:
    """The stage that a request names. Names that are new are made, where the key may."""
    if body.stage_id:
        async with central.database.reading() as connection:
            found = await stages.by_id(connection, body.stage_id)
        by.need_in(found.project, "use")
        if body.project_id not in (None, found.project):
            raise NotFound("the project has no such stage", param="stage_id")
        return found
    assert body.stage_name
    project = await _project(central, by, body)
    async with central.database.reading() as connection:
        try:
            return await stages.find(connection, project.id, body.stage_name)
        except NotFound:
            by.need_in(project.id, "write")
    try:
        async with central.change(by, "named in a check") as change:
            await stages.create(
                change,
                project.id,
                body.stage_name,
                kind="local",
                description="",
                document=StageDocument(extra={EXTRA: []}).plain(),
            )
    except Conflict:
        pass  # somebody else has made it meanwhile
    async with central.database.reading() as connection:
        return await stages.find(connection, project.id, body.stage_name)


async def _project(central: Central, by: Principal, body: Invocation) -> sa.Row[Any]:
    if body.project_id:
        return await project_of(central, by, body.project_id, "use")
    assert body.project_name
    try:
        return await project_of(central, by, body.project_name, "use")
    except NotFound:
        by.need_all("admin")
    try:
        async with central.change(by, "named in a check") as change:
            await projects.create(change, body.project_name)
    except Conflict:
        pass  # somebody else has made it meanwhile
    return await project_of(central, by, body.project_name, "use")
