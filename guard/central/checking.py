"""A check by a stage of the records: by one of its versions, or by rulesets that came along, on the floor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

from guard.answer import as_json
from guard.central.central import Central
from guard.central.code.package import Package
from guard.central.records import floors, metrics, stages
from guard.central.stage import StageDocument
from guard.errors import Invalid
from guard.metrics import Metric, Turn
from guard.policies import LoadedPolicy
from guard.policies.floor import stand_on
from guard.policies.unpack import load_text
from guard.stages import Ruleset, Status
from guard.verdict import Verdict

#: Versions of a code metric that are looked at for one that is ready.
_TRIED = 5


class Checked(BaseModel):
    """What became of a turn.

    `texts` are those of the stage's side to go on with, `reply` what to say instead; `rulesets` and `measurements` are
    all that led there. `version` is the stage's.
    """

    status: Status
    allowed: bool
    action: str
    ruleset: str | None
    reply: str | None
    texts: list[str]
    why: str
    version: int
    event: str
    millis: float
    rulesets: list[dict[str, Any]]
    measurements: list[dict[str, Any]]


async def check_stage(
    central: Central,
    stage: sa.Row[Any],
    turn: Turn,
    labels: Mapping[str, str],
    *,
    version: int | None = None,
    rulesets: Sequence[Ruleset] | None = None,
) -> Checked:
    """The answer to a check. Raises Invalid where there is nothing to check, or rulesets do not go with the stage."""
    document = await document_of(central, stage, version=version, rulesets=rulesets)
    if not turn.passages(document.kind):
        raise Invalid(f"nothing on side '{document.kind}' to check; give it", param=document.kind)
    await refuse_stage(central, stage.project, document)
    verdict = await verdict_of(central, stage, document, turn, labels)
    return Checked(version=version or stage.version, **as_json(verdict))


async def document_of(
    central: Central,
    stage: sa.Row[Any],
    *,
    version: int | None = None,
    rulesets: Sequence[Ruleset] | None = None,
) -> StageDocument:
    """What a stage says in a version (default: the newest), with the rulesets that came along where it is local."""
    if stage.type == "central" and rulesets is not None:
        raise Invalid("the stage is central: its rulesets are kept here; leave them out", param="rulesets")
    async with central.database.reading() as connection:
        row = await stages.version(connection, stage.id, version or stage.version)
    document = StageDocument.model_validate_json(row.document)
    return document.model_copy(update={"rulesets": tuple(rulesets)}) if rulesets else document


async def verdict_of(
    central: Central,
    stage: sa.Row[Any],
    document: StageDocument,
    turn: Turn,
    labels: Mapping[str, str],
    own: Mapping[str, Metric] | None = None,
) -> Verdict:
    """The verdict of a stage that says `document`, with metrics of its `own` besides all others. Raises PolicyError."""
    floor, engine = await floor_text(central), central.engine
    one = document.stage(stage.name, paused=stage.paused)
    own = {**(own or {}), **await code_metrics(central, stage.project, named_by(document))}
    policy = await asyncio.to_thread(engine.policy, stage.id, one, floor, own)
    return await engine.check(policy, one, turn, labels, project=stage.project)


async def refuse_stage(central: Central, project: str, document: StageDocument) -> None:
    """Raise Invalid where rules can mean nothing, or would hollow out the organisation's floor."""
    own = await code_metrics(central, project, named_by(document))
    await asyncio.to_thread(central.engine.refuse, document.stage("stage"), await floor_text(central), own)


async def code_metrics(
    central: Central, project: str, named: Iterable[str], *, built: bool = False
) -> dict[str, Metric]:
    """The project's code metrics of these names, as far as there are any: a built-in name is never one.

    With `built` those that are being built are waited for, and one that could not be raises Conflict.
    """
    found = {}
    for name in sorted({*named} - set(central.engine.metrics)):
        async with central.database.reading() as connection:
            rows = await metrics.version_page(connection, project, name, before=None, limit=_TRIED)
        if rows:
            versions = [(row.version, Package.model_validate_json(row.package)) for row in rows]
            if built:
                await central.code.built(name, versions)
            found[name] = await central.code.metric(name, versions)
    return found


def named_by(document: StageDocument) -> set[str]:
    """The metrics that a stage's rules name."""
    return {rule.metric for ruleset in document.rulesets for rule in ruleset.rules}


async def floor_text(central: Central) -> str:
    """The floor in force; empty where there is none."""
    async with central.database.reading() as connection:
        row = await floors.newest(connection)
    return row.text if row else ""


async def loaded_policy(central: Central, name: str, text: str) -> LoadedPolicy:
    """The policy that a text is, on the floor in force. Raises PolicyError and Invalid."""
    floor = await floor_text(central)

    def load() -> LoadedPolicy:
        loaded = load_text(text, name, metrics=central.engine.metrics)
        if loaded.name != name:
            raise Invalid(f"the text calls itself '{loaded.name}'; write 'policy: {name}'", param="text")
        base = central.engine.floor(floor)
        return stand_on(base, loaded, metrics=central.engine.metrics) if base else loaded

    return await asyncio.to_thread(load)
