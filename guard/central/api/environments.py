"""What is in force where: releases, canaries, shadows, and the way back."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.params import Query
from pydantic import BaseModel, Field

from guard.central.api.common import (
    PAGE,
    Caller,
    Centre,
    Limit,
    Number,
    Page,
    PlaceCursor,
    PolicyName,
    Readable,
    Why,
    Writable,
)
from guard.central.central import Central
from guard.central.records import releases
from guard.central.records.releases import InForce, State, Trial
from guard.central.releasing import release
from guard.errors import Conflict, NotFound
from guard.policies.bundle import By, Environment

router = APIRouter(tags=["environments"])
_PATH = "/projects/{project}/environments/{environment}"


class Putting(Why):
    """A published version to put in force; what was tried beside the old one ends."""

    version: Number


class Trying(Why):
    """A published version to try beside the one in force.

    `canary`: it decides `percent` of the turns, told apart by a hash of their app, user or session. `shadow`: it
    decides none. Either way the other version decides the same turns too, apart from the answer, and
    `GET …/disagreement` counts where they differ.
    """

    version: Number
    mode: Literal["canary", "shadow"] = "canary"
    percent: float = Field(default=0.0, ge=0, le=100)
    by: By = "user"


class Back(Why):
    """A way back: to the release `to`, or to the newest one with something else in force."""

    to: Number | None = None


class Release(BaseModel):
    """A release: what is in force from it on, who released it, and why. `sequence` rises by one a release."""

    sequence: int
    policies: dict[str, InForce]
    action: str
    why: str
    created_at: float
    created_by: str

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Release:
        """Of a row of the records, where the state is text."""
        return cls.model_validate({**row._mapping, **json.loads(row.state)})


@router.get(_PATH)
async def in_force(environment: Environment, found: Readable, central: Centre) -> Release:
    """What is in force."""
    async with central.database.reading() as connection:
        return Release.of(await _newest(connection, found.id, environment))


@router.get(_PATH + "/releases")
async def list_releases(
    environment: Environment, found: Readable, central: Centre, limit: Limit = PAGE, cursor: PlaceCursor = None
) -> Page[Release]:
    """What was in force, the newest first."""
    async with central.database.reading() as connection:
        rows = await releases.page(connection, found.id, environment, before=cursor, limit=limit + 1)
    items = [Release.of(row) for row in rows[:limit]]
    return Page(items=items, next=str(items[-1].sequence) if len(rows) > limit else None)


@router.put(_PATH + "/policies/{policy}")
async def put_in_force(
    environment: Environment, policy: PolicyName, body: Putting, found: Writable, central: Centre, by: Caller
) -> Release:
    """Put a version in force: for the first time, as the next one, or as what its canary becomes."""
    sequence = await release(
        central,
        by,
        found.id,
        environment,
        lambda state: state.with_policy(policy, InForce(version=body.version)),
        "put in force",
        why=body.why,
        detail={"policy": policy, "version": body.version},
    )
    return await _released(central, found.id, environment, sequence)


@router.delete(_PATH + "/policies/{policy}")
async def take_out(
    environment: Environment,
    policy: PolicyName,
    found: Writable,
    central: Centre,
    by: Caller,
    why: Annotated[str, Query(max_length=2_000)] = "",
) -> Release:
    """Take a policy out of force. Turns that no other policy applies to are refused from then on."""

    def without(state: State) -> State:
        if policy not in state.policies:
            raise NotFound(f"policy '{policy}' is not in force here", param="policy")
        return state.without(policy)

    detail = {"policy": policy}
    sequence = await release(central, by, found.id, environment, without, "take out of force", why=why, detail=detail)
    return await _released(central, found.id, environment, sequence)


@router.put(_PATH + "/policies/{policy}/candidate")
async def try_version(
    environment: Environment, policy: PolicyName, body: Trying, found: Writable, central: Centre, by: Caller
) -> Release:
    """Try a version beside the one in force, or try it for more."""
    trial = Trial(version=body.version, mode=body.mode, percent=body.percent, by=body.by)
    detail = {"policy": policy, **trial.model_dump()}
    sequence = await release(
        central, by, found.id, environment, _with_candidate(policy, trial), "try version", why=body.why, detail=detail
    )
    return await _released(central, found.id, environment, sequence)


@router.delete(_PATH + "/policies/{policy}/candidate")
async def end_trial(
    environment: Environment,
    policy: PolicyName,
    found: Writable,
    central: Centre,
    by: Caller,
    why: Annotated[str, Query(max_length=2_000)] = "",
) -> Release:
    """End a trial: the version in force decides everything again."""
    ended, detail = _with_candidate(policy, None), {"policy": policy}
    sequence = await release(central, by, found.id, environment, ended, "end trial", why=why, detail=detail)
    return await _released(central, found.id, environment, sequence)


@router.post(_PATH + "/rollback")
async def roll_back(environment: Environment, body: Back, found: Writable, central: Centre, by: Caller) -> Release:
    """Put in force again what was in force before, as a new release."""
    async with central.database.reading() as connection:
        now = await _newest(connection, found.id, environment)
        if body.to is None:
            before = await releases.other_than(connection, now)
        else:
            before = await releases.at(connection, found.id, environment, body.to)
    state = State.model_validate_json(before.state)
    sequence = await release(
        central, by, found.id, environment, lambda _: state, "roll back", why=body.why, detail={"to": before.sequence}
    )
    return await _released(central, found.id, environment, sequence)


def _with_candidate(policy: str, trial: Trial | None) -> Any:
    def change(state: State) -> State:
        now = state.policies.get(policy)
        if now is None:
            raise Conflict(f"policy '{policy}' is not in force here; put a version in force first", param="policy")
        if trial is not None and trial.version == now.version:
            raise Conflict(f"version {trial.version} is in force already; try another", param="version")
        return state.with_policy(policy, InForce(version=now.version, candidate=trial))

    return change


async def _newest(connection: Any, project: str, environment: str) -> sa.Row[Any]:
    row = await releases.newest(connection, project, environment)
    if row is None:
        raise NotFound(f"nothing was ever put in force in {environment}", param="environment")
    return row


async def _released(central: Central, project: str, environment: str, sequence: int) -> Release:
    async with central.database.reading() as connection:
        return Release.of(await releases.at(connection, project, environment, sequence))
