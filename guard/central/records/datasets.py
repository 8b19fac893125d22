"""Datasets: JSON lines that never change, in blocks that are named by their SHA-256 and kept once a project."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.records.projects import is_id
from guard.central.tables import blocks, dataset_blocks
from guard.central.tables import datasets as table
from guard.errors import Conflict, Invalid, NotFound, TooLarge
from guard.store.database import Database

_c, _b, _of = table.c, blocks.c, dataset_blocks.c
#: Seconds that a block waits for a dataset to be made of it.
WAITING = 86_400.0
#: Blocks that waiting may hold, in datasets of the greatest size.
SPARE = 2


async def keep_block(
    connection: AsyncConnection, project: str, digest: str, content: bytes, rows: int, *, now: float, most: int
) -> None:
    """Keep a block; again does no harm. Raises TooLarge where too much waits that no dataset was made of."""
    mine, used = _b.project == project, sa.exists().where(_of.project == _b.project, _of.digest == _b.digest)
    await connection.execute(sa.delete(blocks).where(mine, ~used, _b.at < now - WAITING))
    known = await connection.execute(sa.update(blocks).where(mine, _b.digest == digest).values(at=now))
    if known.rowcount:
        return
    waiting = await connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(_b.size), 0)).where(mine, ~used))
    if (waiting or 0) + len(content) > SPARE * most:
        raise TooLarge("more was uploaded than datasets were made of; make them, or come again tomorrow")
    row = {"project": project, "digest": digest, "content": content, "size": len(content), "rows": rows, "at": now}
    await connection.execute(sa.insert(blocks).values(row))


async def create(
    change: Change, project: str, name: str, *, description: str, digest: str, of: Sequence[str], most: int
) -> str:
    """A dataset of blocks; its id. The same name with the same content is the one that is there.

    Raises Conflict where the name has other content, NotFound for a block that is not there, Invalid where the blocks
    are not what `digest` says, TooLarge.
    """
    found = (await change.connection.execute(sa.select(table).where(_c.project == project, _c.name == name))).first()
    if found is not None:
        if found.digest == digest:
            return found.id
        raise Conflict(
            f"there is a dataset '{name}' with other rows; datasets do not change: take a new name", param="name"
        )
    identifier, size, first, whole = str(uuid4()), 0, 0, hashlib.sha256()
    for place, one in enumerate(of):
        block = (
            await change.connection.execute(sa.select(blocks).where(_b.project == project, _b.digest == one))
        ).first()
        if block is None:
            raise NotFound(f"block {place} was not uploaded", param="blocks")
        size += block.size
        if size > most:
            raise TooLarge(f"the dataset is larger than {most:,} bytes")
        whole.update(block.content)
        row = {"dataset": identifier, "place": place, "project": project, "digest": one, "first": first}
        await change.connection.execute(sa.insert(dataset_blocks).values(row))
        first += block.rows
    if whole.hexdigest() != digest:
        raise Invalid("these blocks have another SHA-256 than 'digest' says", param="digest")
    row = {"id": identifier, "project": project, "name": name, "description": description, "digest": digest}
    more = {"size": size, "rows": first, **change.made}
    await change.connection.execute(sa.insert(table).values(row | more))
    await change.note("create dataset", name, project=project, dataset=identifier, digest=digest, rows=first)
    return identifier


async def remove(change: Change, dataset: sa.Row[Any]) -> None:
    """Take a dataset away, with the blocks that no other is made of."""
    gone = [sa.delete(table).where(_c.id == dataset.id), sa.delete(dataset_blocks).where(_of.dataset == dataset.id)]
    used = sa.exists().where(_of.project == _b.project, _of.digest == _b.digest)
    for statement in (*gone, sa.delete(blocks).where(_b.project == dataset.project, ~used)):
        await change.connection.execute(statement)
    await change.note("remove dataset", dataset.name, project=dataset.project, dataset=dataset.id)


async def find(connection: AsyncConnection, project: str, name: str) -> sa.Row[Any]:
    """The dataset of a name or id. Raises NotFound."""
    column = _c.id if is_id(name) else _c.name
    row = (await connection.execute(sa.select(table).where(_c.project == project, column == name))).first()
    if row is None:
        raise NotFound("the project has no such dataset", param="dataset")
    return row


async def page(connection: AsyncConnection, project: str, *, after: str | None, limit: int) -> Sequence[Any]:
    """A project's datasets by name."""
    query = sa.select(table).where(_c.project == project).order_by(_c.name).limit(limit)
    return (await connection.execute(query if after is None else query.where(_c.name > after))).all()


async def lines(database: Database, dataset: str, start: int = 0) -> AsyncIterator[list[tuple[int, bytes]]]:
    """The rows of a dataset from the one of number `start` on, counted from 0: block by block, each with its number."""
    query = sa.select(_of.first, _b.content).join(blocks, (_b.project == _of.project) & (_b.digest == _of.digest))
    query = query.where(_of.dataset == dataset, _of.first + _b.rows > start).order_by(_of.place)
    place = 0
    while True:
        async with database.reading() as connection:
            block = (await connection.execute(query.offset(place).limit(1))).first()
        if block is None:
            return
        found = [line for line in block.content.splitlines() if line.strip()]
        yield [(number, line) for number, line in enumerate(found, block.first) if number >= start]
        place += 1
