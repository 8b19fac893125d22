"""Putting something in force. What is to be released is unpacked first, as a proxy would, and refused if that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from guard.central.central import Central
from guard.central.principal import Principal
from guard.central.records import floors, releases
from guard.central.records.releases import State
from guard.errors import Conflict, PolicyError
from guard.policies.bundle import Bundle, Environment, digest_of
from guard.policies.unpack import unpack

_MEANWHILE = "somebody else released meanwhile; look again, and try again"


async def release(
    central: Central,
    by: Principal,
    project: str,
    environment: Environment,
    change_state: Callable[[State], State],
    action: str,
    *,
    why: str,
    detail: Mapping[str, Any],
) -> int:
    """Release what `change_state` makes of what is in force; the release's number.

    Raises PolicyError where a proxy could not use it, Conflict where somebody else released meanwhile.
    """
    async with central.database.reading() as connection:
        before = await releases.newest(connection, project, environment)
        floor = await floors.newest(connection)
        state = change_state(State.model_validate_json(before.state) if before else State())
        bundle = await releases.assemble(connection, project, environment, state)
    await asyncio.to_thread(unpack, bundle, metrics=central.engine.metrics)
    async with central.change(by, why) as change:
        now = await releases.newest(change.connection, project, environment)
        floor_now = await floors.newest(change.connection)
        if _number(now, "sequence") != _number(before, "sequence") or _number(floor_now) != _number(floor):
            raise Conflict(_MEANWHILE)
        return await releases.add(change, project, environment, state, action, detail)


async def set_floor(central: Central, by: Principal, text: str, why: str) -> int:
    """Put another floor under everything that is in force anywhere; its version.

    Raises PolicyError that names what would not stand on it, Conflict where somebody released meanwhile.
    """
    async with central.database.reading() as connection:
        before = await releases.all_newest(connection)
        bundles = [
            await releases.assemble(connection, row.project, row.environment, State.model_validate_json(row.state))
            for row in before
        ]
    await asyncio.to_thread(_stand, central, bundles, text)
    async with central.change(by, why) as change:
        if await releases.all_newest(change.connection) != before:
            raise Conflict(_MEANWHILE)
        version = await floors.add(change, text)
        await releases.again(change, None, "floor changed")
    return version


def _stand(central: Central, bundles: list[Bundle], text: str) -> None:
    central.engine.floor(text)
    problems = []
    for bundle in bundles:
        digest = digest_of(text)
        texts, floor = ({**bundle.texts, digest: text}, digest) if text else (bundle.texts, None)
        try:
            unpack(bundle.model_copy(update={"floor": floor, "texts": texts}), metrics=central.engine.metrics)
        except PolicyError as error:
            problems += [f"{bundle.project}/{bundle.environment}: {line}" for line in error.problems]
    if problems:
        raise PolicyError(*problems)


def _number(row: Any, column: str = "version") -> int:
    return 0 if row is None else getattr(row, column)
