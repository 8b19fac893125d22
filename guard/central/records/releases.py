"""What is in force where: a list of releases for each environment of a project, which only grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.records import floors, keys, policies, projects
from guard.central.tables import apps
from guard.central.tables import releases as table
from guard.errors import NotFound
from guard.policies.bundle import AppKey, Bundle, By, Candidate, Environment, Release

_c = table.c


class Trial(BaseModel):
    """A version that is tried beside the one in force: see `Candidate`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    mode: str
    percent: float
    by: By


class InForce(BaseModel):
    """A policy's version in force, and the one that is tried beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    candidate: Trial | None = None


class State(BaseModel):
    """What a release says: the policies in force."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policies: dict[str, InForce] = Field(default_factory=dict)

    def with_policy(self, name: str, now: InForce) -> State:
        """The same with another version of one policy."""
        return State(policies=dict(sorted({**self.policies, name: now}.items())))

    def without(self, name: str) -> State:
        """The same without one policy."""
        return State(policies={key: value for key, value in self.policies.items() if key != name})


async def newest(connection: AsyncConnection, project: str, environment: str) -> sa.Row[Any] | None:
    """The release in force; None before the first."""
    return await _first(connection, project, environment, sa.true())


async def at(connection: AsyncConnection, project: str, environment: str, sequence: int) -> sa.Row[Any]:
    """The release of that number. Raises NotFound."""
    row = await _first(connection, project, environment, _c.sequence == sequence)
    if row is None:
        raise NotFound(f"{environment} has no release {sequence}", param="to")
    return row


async def other_than(connection: AsyncConnection, release: sa.Row[Any]) -> sa.Row[Any]:
    """The newest earlier release with something else in force. Raises NotFound."""
    earlier = (_c.sequence < release.sequence) & (_c.state != release.state)
    row = await _first(connection, release.project, release.environment, earlier)
    if row is None:
        raise NotFound(f"{release.environment} never had anything else in force", param="to")
    return row


async def add(
    change: Change, project: str, environment: str, state: State, action: str, detail: Mapping[str, Any]
) -> int:
    """The next release; its number."""
    sequence = await _insert(change, project, environment, state.model_dump_json(), action)
    await change.note(action, environment, project=project, **detail, sequence=sequence)
    return sequence


async def again(change: Change, project: str | None, action: str) -> None:
    """A release with the same in force everywhere in a project, or in all with None: keys or the floor changed."""
    for row in await all_newest(change.connection, project):
        await _insert(change, row.project, row.environment, row.state, action)


async def all_newest(connection: AsyncConnection, project: str | None = None) -> Sequence[Any]:
    """The releases in force in every environment of a project, or of all with None."""
    last = sa.select(_c.project, _c.environment, sa.func.max(_c.sequence).label("sequence"))
    last = last.group_by(_c.project, _c.environment).subquery()
    same = [_c[name] == last.c[name] for name in ("project", "environment", "sequence")]
    query = sa.select(table).join(last, sa.and_(*same)).order_by(_c.project, _c.environment)
    if project is not None:
        query = query.where(_c.project == project)
    return (await connection.execute(query)).all()


async def page(
    connection: AsyncConnection, project: str, environment: str, *, before: int | None, limit: int
) -> Sequence[Any]:
    """The releases of an environment, the newest first."""
    query = sa.select(table).where(_c.project == project, _c.environment == environment)
    if before is not None:
        query = query.where(_c.sequence < before)
    return (await connection.execute(query.order_by(_c.sequence.desc()).limit(limit))).all()


async def assemble(
    connection: AsyncConnection,
    project: str,
    environment: Environment,
    state: State,
    *,
    sequence: int = 1,
    issued_at: float = 0.0,
) -> Bundle:
    """The bundle of a state, with the floor and the apps' keys as they are now. Raises NotFound."""
    texts: dict[str, str] = {}

    async def kept(policy: str, number: int) -> str:
        row = await policies.version(connection, project, policy, number)
        texts[row.digest] = row.text
        return row.digest

    released = []
    for name, now in sorted(state.policies.items()):
        candidate = None
        if trial := now.candidate:
            candidate = Candidate(text=await kept(name, trial.version), **trial.model_dump())
        text = await kept(name, now.version)
        released.append(Release(policy=name, version=now.version, text=text, candidate=candidate))
    floor = await floors.newest(connection)
    if floor is not None and floor.text:
        texts[floor.digest] = floor.text
    held: dict[str, list[AppKey]] = {row.name: [] for row in await _apps(connection, project)}
    for key in await keys.of_apps(connection, project):
        held[key.app].append(AppKey(hash=key.hash, expires_at=key.expires_at))
    return Bundle(
        project=(await projects.find(connection, project)).name,
        environment=environment,
        sequence=sequence,
        issued_at=issued_at,
        floor=floor.digest if floor is not None and floor.text else None,
        releases=tuple(released),
        texts=dict(sorted(texts.items())),
        apps={app: tuple(some) for app, some in held.items()},
    )


async def _apps(connection: AsyncConnection, project: str) -> Sequence[Any]:
    query = sa.select(apps.c.name).where(apps.c.project == project).order_by(apps.c.name)
    return (await connection.execute(query)).all()


async def _insert(change: Change, project: str, environment: str, state: str, action: str) -> int:
    last = await newest(change.connection, project, environment)
    sequence = last.sequence + 1 if last else 1
    row = {"project": project, "environment": environment, "sequence": sequence, "state": state}
    more = {"action": action, "why": change.why, **change.made}
    await change.connection.execute(sa.insert(table).values(row | more))
    change.released.add((project, environment))
    return sequence


async def _first(
    connection: AsyncConnection, project: str, environment: str, condition: sa.ColumnElement[bool]
) -> sa.Row[Any] | None:
    query = sa.select(table).where(_c.project == project, _c.environment == environment, condition)
    return (await connection.execute(query.order_by(_c.sequence.desc()).limit(1))).first()
