"""The organisation's floor: rulesets that stand under every project's policies and stages."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.change import Change
from guard.central.tables import floors as table
from guard.policies.bundle import digest_of


async def newest(connection: AsyncConnection) -> sa.Row[Any] | None:
    """The floor in force; None before the first. One with an empty text holds nothing."""
    query = sa.select(table).order_by(table.c.version.desc()).limit(1)
    return (await connection.execute(query)).first()


async def add(change: Change, text: str) -> int:
    """The floor's next version; its number."""
    last = await newest(change.connection)
    version, digest = (last.version + 1 if last else 1), digest_of(text)
    row = {"version": version, "digest": digest, "text": text, "why": change.why, **change.made}
    await change.connection.execute(sa.insert(table).values(row))
    await change.note("set floor", f"version {version}", digest=digest)
    return version
