"""The writer's memory of what it spooled agrees with the spool."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.store import Masker, Stats
from guard.store.memory import MemoryStore
from guard.store.writer import Writer


@pytest.mark.parametrize("batch", [1, 2, 5])
async def test_what_was_not_remembered_is_delivered_before_what_was_spooled_later(
    tmp_path: Path, events, monkeypatch, batch
):
    monkeypatch.setattr("guard.store.writer.FRESH", 2)
    store, stats = MemoryStore(), Stats()
    writer = Writer(store, tmp_path, stats, masker=Masker(), batch=batch, spool_bytes=1_000_000)
    made = [events.event() for _ in range(9)]

    async def save(event) -> None:
        await writer.save(lambda: [lambda *, masker: event])

    for event in made[:4]:
        await save(event)
    await writer.deliver()
    await writer.deliver()
    for event in made[4:]:
        await save(event)
        await writer.deliver()
    while writer.due:
        await writer.deliver()
    assert (await store.tail(0)).events == made
    assert (stats.written, stats.spooled) == (9, 0)
    assert not writer._fresh
    writer.close(list)
