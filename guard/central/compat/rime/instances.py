"""Firewall instances: stages of central, each version of which keeps a configuration of RIME's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.central import Central
from guard.central.change import Change
from guard.central.checking import refuse_stage
from guard.central.compat.rime.config import Config
from guard.central.compat.rime.rules import checks
from guard.central.principal import Permission, Principal
from guard.central.records import stages
from guard.central.stage import StageDocument
from guard.errors import Invalid, NotFound

#: Where in a stage's document the configuration is kept.
RIME = "rime"


@dataclass(frozen=True, slots=True)
class Instance:
    """A stage, and the configuration in its newest version: as it was given, and as it is understood."""

    row: sa.Row[Any]
    given: dict[str, Any]
    config: Config
    description: str


async def create(central: Central, by: Principal, given: dict[str, Any], description: str) -> str:
    """A new instance's id. Raises Invalid for rules that cannot be asked."""
    project = _project(by, "write")
    await _refuse(central, project, parsed(given))
    async with central.change(by, description) as change:
        name = f"firewall-{uuid4().hex[:12]}"
        document = _document(given, description)
        return await stages.create(
            change, project, name, kind="local", description=description[:2_000], document=document
        )


async def update(
    central: Central, by: Principal, name: str, given: dict[str, Any] | None, description: str | None
) -> Instance:
    """The instance with another configuration or description: its stage's next version."""
    instance = await find(central, by, name, "write")
    given = instance.given if given is None else given
    await _refuse(central, instance.row.project, parsed(given))
    words = instance.description if description is None else description
    async with central.change(by, words) as change:
        row = await _again(change, instance)
        await stages.update(change, row, _document(given, words))
    return await find(central, by, name, "write")


async def delete(central: Central, by: Principal, name: str) -> None:
    """Take an instance away: its stage stays, paused, without a configuration, since versions are kept for ever."""
    instance = await find(central, by, name, "write")
    async with central.change(by, "firewall instance deleted") as change:
        row = await _again(change, instance)
        await stages.update(change, row, StageDocument().plain())
        await stages.pause(change, row, True)


async def find(central: Central, by: Principal, name: str, permission: Permission) -> Instance:
    """The instance of an id, or of its stage's name. Raises NotFound."""
    project = _project(by, permission)
    async with central.database.reading() as connection:
        row = await stages.find(connection, project, name)
        instance = await _instance(connection, row)
    if instance is None:
        raise NotFound("this stage is no firewall instance, or no longer", param="firewallInstanceId")
    return instance


async def every(central: Central, by: Principal) -> list[Instance]:
    """The project's instances, by name. RIME's clients ask for all of them at once."""
    project = _project(by, "read")
    found: list[Instance] = []
    after: str | None = None
    async with central.database.reading() as connection:
        while rows := await stages.page(connection, project, after=after, limit=200):
            instances = [await _instance(connection, row) for row in rows]
            found += [instance for instance in instances if instance]
            after = rows[-1].name
    return found


def parsed(config: Any) -> Config:
    """A configuration as a client sent it. Raises Invalid that names what is wrong with it."""
    try:
        return Config.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(("config", *map(str, first["loc"])))
        raise Invalid(f"{where}: {first['msg'].removeprefix('Value error, ')}", param=where) from None


def _document(given: dict[str, Any], description: str) -> dict[str, Any]:
    return StageDocument(extra={RIME: {"config": given, "description": description}}).plain()


async def _refuse(central: Central, project: str, config: Config) -> None:
    """Raise Invalid where a rule cannot be asked here, as where a metric's package is missing."""
    asked = checks(config)
    for kind in ("input", "output"):
        rulesets = tuple(check.ruleset for check in asked if check.kind == kind and not check.own)
        await refuse_stage(central, project, StageDocument(kind=kind, rulesets=rulesets))


async def _again(change: Change, instance: Instance) -> sa.Row[Any]:
    return await stages.by_id(change.connection, instance.row.id)


async def _instance(connection: AsyncConnection, row: sa.Row[Any]) -> Instance | None:
    version = await stages.version(connection, row.id, row.version)
    kept = StageDocument.model_validate_json(version.document).extra.get(RIME)
    if not isinstance(kept, dict):
        return None
    given = kept.get("config", {})
    return Instance(row, given, parsed(given), kept.get("description", ""))


def _project(by: Principal, permission: Permission) -> str:
    """The id of the project that the key is for: RIME's clients know none. Raises Invalid and Forbidden."""
    if by.project is None:
        raise Invalid("RIME's clients name no project; give them a key that is for one")
    by.need_in(by.project, permission)
    return by.project
