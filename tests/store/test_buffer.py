"""From the hot path to the store: nothing waits, nothing is lost silently."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from guard.errors import StoreError
from guard.store import Buffer, Event, Masker, Store, new_id, open_store
from guard.store.memory import MemoryStore

ROOT = Path(__file__).parents[2]


class Moody(MemoryStore):
    """A store that is down, or slow, while it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        self.tries = 0

    async def write(self, events: Sequence[Event]) -> None:
        self.tries += 1
        await self.ready.wait()
        if self.error:
            raise self.error
        await super().write(events)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """A store that failed is tried again at once."""
    monkeypatch.setattr("guard.store.writer.FIRST_RETRY", 0.001)
    monkeypatch.setattr("guard.store.writer.LAST_RETRY", 0.002)


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - counters have no event to wait for
            await asyncio.sleep(0.001)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


async def test_what_is_added_is_in_the_store_after_a_flush_and_the_spool_is_empty(store: Store, tmp_path: Path, events):
    ids = [new_id() for _ in range(25)]
    async with Buffer(store, tmp_path / "spool", batch=10) as buffer:
        assert all(buffer.add(events.make(id=one)) for one in ids)
        await buffer.flush()
        assert [event.id for event in await store.newest()] == ids[::-1]
        assert sum(file.stat().st_size for file in files(tmp_path / "spool")) == 0
        assert (buffer.stats.accepted, buffer.stats.written, buffer.stats.spooled) == (25, 25, 0)
    assert files(tmp_path / "spool") == []


async def test_events_arrive_without_a_flush_after_an_interval(tmp_path: Path, events):
    store = MemoryStore()
    async with Buffer(store, tmp_path, interval=0.01) as buffer:
        buffer.add(events.make())
        await until(lambda: buffer.stats.written == 1)


async def test_a_full_batch_does_not_wait_for_the_interval(tmp_path: Path, events):
    async with Buffer(MemoryStore(), tmp_path, interval=3600, batch=3) as buffer:
        for _ in range(3):
            buffer.add(events.make())
        await until(lambda: buffer.stats.written == 3)


async def test_closing_flushes_what_was_added_last(tmp_path: Path, events):
    store = MemoryStore()
    async with Buffer(store, tmp_path, interval=3600) as buffer:
        buffer.add(events.make())
    assert await store.count() == 1


async def test_what_was_added_before_the_start_is_written_after_it(tmp_path: Path, events):
    store = MemoryStore()
    buffer = Buffer(store, tmp_path)
    buffer.add(events.make())
    async with buffer:
        await buffer.flush()
    assert await store.count() == 1


async def test_adding_after_the_end_is_refused_and_counted(tmp_path: Path, events):
    async with Buffer(MemoryStore(), tmp_path) as buffer:
        pass
    assert not buffer.add(events.make())
    assert buffer.stats.dropped == 1


async def test_a_full_buffer_refuses_and_counts(tmp_path: Path, events):
    store = MemoryStore()
    buffer = Buffer(store, tmp_path, capacity=3)
    assert [buffer.add(events.make()) for _ in range(5)] == [True, True, True, False, False]
    async with buffer:
        await buffer.flush()
        assert buffer.add(events.make())
    assert (buffer.stats.accepted, buffer.stats.refused, buffer.stats.dropped) == (4, 2, 2)
    assert await store.count() == 4


async def test_a_buffer_is_full_of_few_large_texts_too(tmp_path: Path, events):
    buffer = Buffer(MemoryStore(), tmp_path)
    assert buffer.add(events.make(), characters=40_000_000)
    assert not buffer.add(events.make(), characters=40_000_000)
    async with buffer:
        await buffer.flush()
        assert buffer.add(events.make(), characters=40_000_000)


async def test_threads_may_add_at_once(tmp_path: Path, events):
    store = MemoryStore()
    async with Buffer(store, tmp_path, interval=0.001, batch=7) as buffer:
        threads = [threading.Thread(target=lambda: [buffer.add(events.make()) for _ in range(100)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        await until(lambda: buffer.stats.written == 400)
        for thread in threads:
            thread.join()
    assert (buffer.stats.accepted, await store.count()) == (400, 400)


async def test_events_are_made_off_the_loop_with_the_buffers_masker(tmp_path: Path, events):
    seen = []

    def make(*, masker: Masker) -> Event:
        seen.append((threading.current_thread() is threading.main_thread(), masker))
        return events.event()

    async with Buffer(MemoryStore(), tmp_path, masker=Masker("none")) as buffer:
        buffer.add(make)
    assert seen == [(False, Masker("none"))]


async def test_an_event_that_cannot_be_made_is_counted_and_takes_no_other_with_it(tmp_path: Path, events, caplog):
    def broken(*, masker: Masker) -> Event:
        raise ValueError("the text of somebody's turn")

    store = MemoryStore()
    async with Buffer(store, tmp_path) as buffer:
        for make in (events.make(), broken, events.make(project=object()), events.make()):
            buffer.add(make)
    assert (buffer.stats.written, buffer.stats.failed, await store.count()) == (2, 2, 2)
    assert "ValueError" in caplog.text
    assert "somebody" not in caplog.text


@pytest.mark.parametrize("error", [StoreError("down"), RuntimeError("a driver's own")])
async def test_events_wait_on_disk_while_the_store_is_down_and_come_in_order_when_it_is_up(
    tmp_path: Path, events, error
):
    store = Moody()
    store.error = error
    ids = [new_id() for _ in range(30)]
    async with Buffer(store, tmp_path, interval=0.001, batch=4) as buffer:
        for one in ids[:20]:
            buffer.add(events.make(id=one))
        await until(lambda: store.tries > 5 and buffer.stats.spooled == 20)
        assert (buffer.stats.written, buffer.stats.dropped) == (0, 0)
        assert sum(file.stat().st_size for file in files(tmp_path)) > 0
        store.error = None
        for one in ids[20:]:
            buffer.add(events.make(id=one))
        await until(lambda: buffer.stats.written == 30)
    assert [event.id for event in (await store.tail(0)).events] == ids
    assert buffer.stats.spooled == 0
    assert files(tmp_path) == []


async def test_a_store_that_hangs_keeps_nothing_from_the_disk(tmp_path: Path, events):
    store = Moody()
    store.ready.clear()
    async with Buffer(store, tmp_path, interval=0.001) as buffer:
        buffer.add(events.make())
        await until(lambda: store.tries == 1)
        for _ in range(5):
            buffer.add(events.make())
        await until(lambda: buffer.stats.spooled == 6)
        store.ready.set()
        await until(lambda: buffer.stats.written == 6)


async def test_closing_does_not_wait_for_ever_and_the_next_start_takes_up_what_was_left(
    tmp_path: Path, events, monkeypatch
):
    monkeypatch.setattr("guard.store.buffer.CLOSING", 0.01)
    store = Moody()
    store.ready.clear()
    async with Buffer(store, tmp_path) as first:
        for _ in range(3):
            first.add(events.make())
    assert (first.stats.spooled, len(files(tmp_path))) == (3, 1)
    store.ready.set()
    async with Buffer(store, tmp_path) as second:
        await second.flush()
    assert (second.stats.recovered, second.stats.written, await store.count()) == (3, 0, 3)
    assert files(tmp_path) == []


async def test_a_write_that_was_cut_off_is_repeated_without_doubling_it(tmp_path: Path, events):
    store = Moody()
    async with Buffer(store, tmp_path, interval=0.001) as buffer:
        store.ready.clear()
        buffer.add(events.make())
        await until(lambda: store.tries == 1)
        for task in buffer._tasks:
            task.cancel()
        await asyncio.gather(*buffer._tasks, return_exceptions=True)
        store.ready.set()
        buffer.add(events.make())
        await buffer.flush()
    assert (await store.count(), buffer.stats.written, buffer.stats.spooled) == (2, 2, 0)


async def test_a_spool_that_is_full_drops_and_counts_and_keeps_what_it_has(tmp_path: Path, events, caplog):
    store = Moody()
    store.error = StoreError("down")
    size = len(events.event().to_json()) + 10
    async with Buffer(store, tmp_path, interval=0.001, batch=1, spool_bytes=3 * size) as buffer:
        for _ in range(5):
            buffer.add(events.make())
        await until(lambda: buffer.stats.spooled + buffer.stats.lost == 5)
        assert (buffer.stats.spooled, buffer.stats.lost, buffer.stats.dropped) == (3, 2, 2)
        assert "events are lost" in caplog.text
        store.error = None
        await until(lambda: buffer.stats.written == 3)


async def test_a_spool_that_grows_goes_on_in_a_new_file_and_stays_in_order(tmp_path: Path, events, monkeypatch):
    monkeypatch.setattr("guard.store.writer.ROTATE_BYTES", 3_000)
    store = Moody()
    store.error = StoreError("down")
    ids = [new_id() for _ in range(40)]
    async with Buffer(store, tmp_path, interval=0.001, batch=3) as buffer:
        for one in ids:
            buffer.add(events.make(id=one))
        await until(lambda: buffer.stats.spooled == 40)
        assert len(files(tmp_path)) > 3
        store.error = None
        await until(lambda: buffer.stats.written == 40)
        assert len(files(tmp_path)) == 1
    assert [event.id for event in (await store.tail(0)).events] == ids


async def test_events_that_left_memory_are_read_back_from_the_spool(tmp_path: Path, events, monkeypatch):
    monkeypatch.setattr("guard.store.writer.FRESH", 2)
    store = Moody()
    store.error = StoreError("down")
    ids = [new_id() for _ in range(60)]
    async with Buffer(store, tmp_path, interval=0.001, batch=7) as buffer:
        for one in ids[:40]:
            buffer.add(events.make(id=one))
        await until(lambda: buffer.stats.spooled == 40)
        store.error = None
        for one in ids[40:]:
            buffer.add(events.make(id=one))
            await asyncio.sleep(0)
        await until(lambda: buffer.stats.written == 60)
    assert [event.id for event in (await store.tail(0)).events] == ids


async def test_a_torn_spool_gives_its_whole_events_and_counts_the_rest(tmp_path: Path, events):
    store = Moody()
    store.error = StoreError("down")
    async with Buffer(store, tmp_path) as buffer:
        for _ in range(3):
            buffer.add(events.make())
    (file,) = files(tmp_path)
    os.truncate(file, file.stat().st_size - 20)
    store.error = None
    async with Buffer(store, tmp_path) as buffer:
        await buffer.flush()
    assert (buffer.stats.recovered, buffer.stats.torn, await store.count()) == (2, 1, 2)


async def test_old_events_are_removed_and_new_ones_kept(tmp_path: Path, events):
    store = MemoryStore()
    await store.write([events.event(id=new_id(1_000.0))])
    new = events.event()
    await store.write([new])
    async with Buffer(store, tmp_path, keep_days=1.0):
        await until(lambda: len(store._events) == 1)
    assert await store.newest() == [new]


async def test_everything_is_kept_where_no_age_is_given(tmp_path: Path, events):
    store = MemoryStore()
    await store.write([events.event(id=new_id(1_000.0))])
    async with Buffer(store, tmp_path, interval=0.001) as buffer:
        buffer.add(events.make())
        await until(lambda: buffer.stats.written == 1)
    assert await store.count() == 2


LOAD = """
import asyncio, runpy, sys
from pathlib import Path
from guard.store import Buffer, new_id, open_store

make = runpy.run_path(sys.argv[1])["make"]

async def main():
    store = await open_store(sys.argv[2])
    buffer = await Buffer(store, Path(sys.argv[3]), interval=0.05).start()
    for number in range(int(sys.argv[4])):
        identifier = new_id()
        buffer.add(make(id=identifier))
        print(identifier, buffer.stats.written + buffer.stats.spooled, flush=True)
        if number % 10 == 9:
            await asyncio.sleep(0.005)
    {end}

asyncio.run(main())
"""


def start(program: str, folder: Path, count: int) -> subprocess.Popen:
    helpers = Path(__file__).with_name("conftest.py")
    arguments = [str(helpers), str(folder / "events.db"), str(folder / "spool"), str(count)]
    return subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def taken_up(folder: Path) -> tuple[Buffer, list[str]]:
    store = await open_store(str(folder / "events.db"))
    async with Buffer(store, folder / "spool") as buffer:
        await buffer.flush()
    ids = [event.id for event in await store.newest(limit=10_000)]
    await store.close()
    return buffer, ids[::-1]


@pytest.mark.slow
@pytest.mark.parametrize("seen", [150, 600, 1000])
async def test_kill_9_under_load_loses_at_most_what_was_not_on_disk_and_corrupts_nothing(tmp_path: Path, seen: int):
    process = start(LOAD.replace("{end}", "await asyncio.sleep(60)"), tmp_path, 1000)
    recorded = []
    assert process.stdout
    for line in process.stdout:
        recorded.append(line.strip())
        if len(recorded) == seen:
            process.send_signal(signal.SIGKILL)
    process.wait()
    # The last line may be cut short.
    whole = [one.split() for one in recorded if re.fullmatch(r"\S{36} \d+", one)]
    recorded, on_disk = [one for one, _ in whole], int(whole[-1][1])
    buffer, ids = await taken_up(tmp_path)
    # What is missing is the end of what was recorded, and nothing of what was said to be on disk.
    assert ids == recorded[: len(ids)] or ids[: len(recorded)] == recorded
    assert buffer.stats.torn <= 1
    assert len(ids) >= on_disk
    assert files(tmp_path / "spool") == []


@pytest.mark.slow
@pytest.mark.parametrize("end", ["pass", "sys.exit(3)", "raise KeyboardInterrupt"])
async def test_a_process_that_ends_without_closing_loses_nothing(tmp_path: Path, end: str):
    process = start(LOAD.replace("{end}", end), tmp_path, 40)
    said, _ = process.communicate()
    _, ids = await taken_up(tmp_path)
    assert ids == said.split()[::2]


SCRIPT = """
import runpy, sys
from pathlib import Path
from guard.loop import run
from guard.store import Buffer, new_id, open_store

make = runpy.run_path(sys.argv[1])["make"]

async def begin():
    return await Buffer(await open_store(sys.argv[2]), Path(sys.argv[3]), interval=0.001).start()

buffer = run(begin())
for _ in range(int(sys.argv[4])):
    identifier = new_id()
    buffer.add(make(id=identifier))
    print(identifier)
"""


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 700])
async def test_a_script_without_a_loop_of_its_own_loses_nothing_when_it_ends(tmp_path: Path, count: int):
    process = start(SCRIPT, tmp_path, count)
    said, _ = process.communicate()
    _, ids = await taken_up(tmp_path)
    assert len(ids) == count
    assert ids == said.split()
