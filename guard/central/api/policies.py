"""Policies: drafts, published versions, and what one changes against another."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from guard.central.api.common import (
    PAGE,
    Caller,
    Centre,
    Cursor,
    Limit,
    Number,
    Page,
    PlaceCursor,
    PolicyName,
    Readable,
    Row,
    Why,
    Writable,
    page_of,
)
from guard.central.central import Central
from guard.central.checking import loaded_policy
from guard.central.records import policies
from guard.errors import Conflict, Invalid, NotFound, PolicyError
from guard.policies.diff import diff

router = APIRouter(tags=["policies"])


class NewDraft(Why):
    """A policy's text, as a policy file has it."""

    text: str = Field(min_length=1, max_length=1_000_000)


class Policy(Row):
    """A policy. `version` is the newest published one, 0 before the first."""

    name: str
    version: int
    created_at: float
    created_by: str
    updated_at: float
    updated_by: str


class Draft(Policy):
    """A policy with its draft; `problems` are what keeps it from being published."""

    text: str
    problems: list[str]


class Published(Row):
    """A published version, which never changes. `revision` is a hash of what it says, `digest` one of its text."""

    version: int
    revision: str
    digest: str
    why: str
    created_at: float
    created_by: str


class PublishedText(Published):
    """A published version with its text."""

    text: str


class Difference(BaseModel):
    """One thing that is otherwise: where, and a sentence."""

    kind: Literal["added", "removed", "changed"]
    where: str
    text: str


class Differences(BaseModel):
    """What a version changes against another; both with what they build on and the floor folded in."""

    old: str
    new: str
    changes: list[Difference]


@router.put("/projects/{project}/policies/{policy}")
async def save_draft(policy: PolicyName, body: NewDraft, found: Writable, central: Centre, by: Caller) -> Draft:
    """Keep a text as the policy's draft. It may be wrong still: `problems` says how."""
    async with central.change(by, body.why) as change:
        await policies.save_draft(change, found.id, policy, body.text)
    return await _draft(central, found.id, policy)


@router.get("/projects/{project}/policies")
async def list_policies(found: Readable, central: Centre, limit: Limit = PAGE, cursor: Cursor = None) -> Page[Policy]:
    """A project's policies, by name."""
    async with central.database.reading() as connection:
        rows = await policies.page(connection, found.id, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Policy, "name")


@router.get("/projects/{project}/policies/{policy}")
async def get_policy(policy: PolicyName, found: Readable, central: Centre) -> Draft:
    """A policy with its draft."""
    return await _draft(central, found.id, policy)


@router.post("/projects/{project}/policies/{policy}/versions", status_code=201)
async def publish(policy: PolicyName, body: Why, found: Writable, central: Centre, by: Caller) -> Published:
    """Publish the draft as the next version. Nothing is in force by that: see environments."""
    async with central.database.reading() as connection:
        row = await policies.find(connection, found.id, policy)
    loaded = await loaded_policy(central, policy, row.draft)
    async with central.change(by, body.why) as change:
        now = await policies.find(change.connection, found.id, policy)
        if (now.draft, now.version) != (row.draft, row.version):
            raise Conflict("the draft was changed or published meanwhile; look again, and try again")
        number = await policies.publish(change, now, loaded.revision)
        return Published.model_validate(await policies.version(change.connection, found.id, policy, number))


@router.get("/projects/{project}/policies/{policy}/versions")
async def list_policy_versions(
    policy: PolicyName, found: Readable, central: Centre, limit: Limit = PAGE, cursor: PlaceCursor = None
) -> Page[Published]:
    """A policy's versions, the newest first."""
    async with central.database.reading() as connection:
        await policies.find(connection, found.id, policy)
        rows = await policies.version_page(connection, found.id, policy, before=cursor, limit=limit + 1)
    return page_of(rows, limit, Published, "version")


@router.get("/projects/{project}/policies/{policy}/versions/{version}")
async def get_policy_version(policy: PolicyName, version: Number, found: Readable, central: Centre) -> PublishedText:
    """One published version with its text."""
    async with central.database.reading() as connection:
        return PublishedText.model_validate(await policies.version(connection, found.id, policy, version))


@router.get("/projects/{project}/policies/{policy}/diff")
async def diff_policy(
    policy: PolicyName, found: Readable, central: Centre, old: Number | None = None, new: Number | None = None
) -> Differences:
    """What `new` (default: the draft) changes against `old` (default: the newest published version)."""
    async with central.database.reading() as connection:
        row = await policies.find(connection, found.id, policy)
        if old is None and not row.version:
            raise NotFound("nothing is published yet, so there is nothing to compare with", param="old")
        before = await policies.version(connection, found.id, policy, old or row.version)
        after = (await policies.version(connection, found.id, policy, new)).text if new else row.draft
    one, other = await loaded_policy(central, policy, before.text), await loaded_policy(central, policy, after)
    changes = [Difference(kind=each.kind, where=each.where, text=each.text) for each in diff(one, other)]
    return Differences(old=one.label, new=other.label, changes=changes)


async def _draft(central: Central, project: str, name: str) -> Draft:
    async with central.database.reading() as connection:
        row = await policies.find(connection, project, name)
    problems: list[str] = []
    try:
        await loaded_policy(central, name, row.draft)
    except PolicyError as error:
        problems = list(error.problems)
    except Invalid as error:
        problems = [str(error)]
    shown: dict[str, Any] = {**row._mapping, "text": row.draft, "problems": problems}
    return Draft.model_validate(shown)
