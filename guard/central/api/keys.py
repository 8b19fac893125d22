"""API keys: shown once, then only their ids."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from guard.central.api.common import PAGE, Caller, Centre, Cursor, Limit, Name, Named, Page, Row, Ruled, Why, page_of
from guard.central.change import Change
from guard.central.principal import Role
from guard.central.records import keys, releases

router = APIRouter(tags=["keys"])


class NewKey(Why):
    """A key to make. `app` goes with the role `app`, which can do nothing but have texts checked."""

    name: Name
    role: Role
    app: Name | None = None
    expires_at: Annotated[float, Field(le=1e11)] | None = Field(
        default=None, description="UTC epoch seconds; null: never."
    )


class Rotation(Why):
    """A key to replace. Both work for `grace` seconds."""

    grace: float = Field(default=0.0, ge=0, le=30 * 86_400)


class Key(Row):
    """A key without what makes it one. `app` and `project` (an id) are what it is for; null: all."""

    id: str
    name: str
    role: Role
    project: str | None
    app: str | None
    expires_at: float | None
    revoked_at: float | None
    created_at: float
    created_by: str


class MadeKey(Key):
    """A new key. `key` is shown this once: the answer to the same Idempotency-Key again leaves it empty."""

    key: str


async def _shown(change: Change, made: tuple[str, str], project: str | None) -> MadeKey:
    row = await keys.find(change.connection, made[0], project)
    return MadeKey(key=made[1], **Key.model_validate(row).model_dump())


@router.post("/keys", status_code=201)
async def create_key(body: NewKey, central: Centre, by: Caller) -> MadeKey:
    """Make a key for every project: admin, editor or viewer."""
    by.need_all("admin")
    async with central.change(by, body.why) as change:
        made = await keys.create(change, body.name, body.role, project=None, app=body.app, expires_at=body.expires_at)
        return await _shown(change, made, None)


@router.get("/keys")
async def list_keys(central: Centre, by: Caller, limit: Limit = PAGE, cursor: Cursor = None) -> Page[Key]:
    """The keys for every project."""
    by.need_all("admin")
    async with central.database.reading() as connection:
        rows = await keys.page(connection, None, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Key, "id")


@router.post("/keys/{key}/rotate", status_code=201)
async def rotate_key(key: Named, body: Rotation, central: Centre, by: Caller) -> MadeKey:
    """Make a new key in the place of one for every project."""
    by.need_all("admin")
    async with central.change(by, body.why) as change:
        made = await keys.rotate(change, await keys.find(change.connection, key, None), body.grace)
        return await _shown(change, made, None)


@router.post("/keys/{key}/revoke")
async def revoke_key(key: Named, body: Why, central: Centre, by: Caller) -> Key:
    """Take back a key for every project."""
    by.need_all("admin")
    async with central.change(by, body.why) as change:
        await keys.revoke(change, await keys.find(change.connection, key, None))
        return Key.model_validate(await keys.find(change.connection, key, None))


@router.post("/projects/{project}/keys", status_code=201)
async def create_project_key(body: NewKey, found: Ruled, central: Centre, by: Caller) -> MadeKey:
    """Make a key for one project."""
    async with central.change(by, body.why) as change:
        made = await keys.create(
            change, body.name, body.role, project=found.id, app=body.app, expires_at=body.expires_at
        )
        await releases.again(change, found.id, "keys changed")
        return await _shown(change, made, found.id)


@router.get("/projects/{project}/keys")
async def list_project_keys(found: Ruled, central: Centre, limit: Limit = PAGE, cursor: Cursor = None) -> Page[Key]:
    """The keys for one project."""
    async with central.database.reading() as connection:
        rows = await keys.page(connection, found.id, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Key, "id")


@router.post("/projects/{project}/keys/{key}/rotate", status_code=201)
async def rotate_project_key(key: Named, body: Rotation, found: Ruled, central: Centre, by: Caller) -> MadeKey:
    """Make a new key in the place of one for this project."""
    async with central.change(by, body.why) as change:
        made = await keys.rotate(change, await keys.find(change.connection, key, found.id), body.grace)
        await releases.again(change, found.id, "keys changed")
        return await _shown(change, made, found.id)


@router.post("/projects/{project}/keys/{key}/revoke")
async def revoke_project_key(key: Named, body: Why, found: Ruled, central: Centre, by: Caller) -> Key:
    """Take back a key for this project. Proxies that follow it refuse the key from the next bundle on."""
    async with central.change(by, body.why) as change:
        await keys.revoke(change, await keys.find(change.connection, key, found.id))
        await releases.again(change, found.id, "keys changed")
        return Key.model_validate(await keys.find(change.connection, key, found.id))
