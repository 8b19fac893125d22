"""The bundle that proxies follow: signed, with an ETag, and held back until there is a new one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from guard.central.api.common import Centre, Followed
from guard.central.central import Central
from guard.central.records import releases
from guard.central.records.releases import State
from guard.errors import NotFound
from guard.policies.bundle import Envelope, Environment, seal

router = APIRouter(tags=["bundle"])

#: Environments whose bundle a process keeps sealed.
KEPT = 100


@router.get(
    "/projects/{project}/environments/{environment}/bundle",
    response_model=Envelope,
    responses={304: {"description": "The bundle is still the one that If-None-Match names."}},
)
async def get_bundle(
    environment: Environment,
    found: Followed,
    central: Centre,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for a new one.")] = 0,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """What is in force, signed. With `wait` an answer of 304 is held back until there is a new bundle."""
    sequence, envelope = await current(central, found.id, environment)
    if wait and if_none_match == f'"{envelope.digest}"':
        await central.hub.wait((found.id, environment), sequence, wait)
        sequence, envelope = await current(central, found.id, environment)
    headers = {"etag": f'"{envelope.digest}"', "cache-control": "no-cache"}
    if if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(envelope.model_dump_json(), media_type="application/json", headers=headers)


async def current(central: Central, project: str, environment: Environment) -> tuple[int, Envelope]:
    """The newest bundle with its number; the same bytes each time. Raises NotFound where there is none."""
    async with central.database.reading() as connection:
        row = await releases.newest(connection, project, environment)
    if row is None:
        raise NotFound(f"nothing was ever put in force in {environment}", param="environment")
    place = (project, environment)
    sequence, envelope = central.sealed.get(place, (0, None))
    if envelope is None or sequence != row.sequence:
        # In turn with those who write, so that floor and keys are those of this release and of no later one.
        async with central.database.writing() as connection:
            row = await releases.newest(connection, project, environment)
            assert row is not None
            state = State.model_validate_json(row.state)
            bundle = await releases.assemble(
                connection, project, environment, state, sequence=row.sequence, issued_at=row.created_at
            )
        envelope = seal(bundle, central.signer)
        central.sealed[place] = (row.sequence, envelope)
        while len(central.sealed) > KEPT:
            central.sealed.popitem(last=False)
    return row.sequence, envelope
