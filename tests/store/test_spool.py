"""Events on disk: nothing that was appended is lost, nothing that is torn is taken for an event."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path

import pytest

from guard.errors import StoreError
from guard.store import open_store
from guard.store.spool import Spool


def lines_of(events) -> list[bytes]:
    return [event.to_json() for event in events]


def abandon(spool: Spool) -> None:
    """What the kernel does when a process dies: the file stays, the lock goes."""
    spool._file.close()


def test_what_was_appended_is_read_in_order_until_it_is_taken(tmp_path: Path, events):
    spool = Spool.open(tmp_path)
    written = [events.event() for _ in range(5)]
    spool.append(written[:3], lines_of(written[:3]))
    spool.append(written[3:], lines_of(written[3:]))
    first = spool.read(2)
    assert spool.read(2) == first
    spool.taken(first)
    rest = spool.read(10)
    assert first.events + rest.events == written
    spool.taken(rest)
    assert (spool.waiting, spool.path.stat().st_size) == (0, 0)


def test_a_batch_that_is_remembered_is_the_one_that_would_be_read(tmp_path: Path, events):
    spool = Spool.open(tmp_path)
    written = [events.event(), events.event()]
    assert spool.append(written, lines_of(written)) == spool.read(2)


def test_a_living_process_keeps_its_spool_and_a_dead_one_leaves_it(tmp_path: Path, events):
    living, dead = Spool.open(tmp_path), Spool.open(tmp_path)
    event = events.event()
    for spool in (living, dead):
        spool.append([event], lines_of([event]))
    assert Spool.left_in(tmp_path) == []
    abandon(dead)
    (taken_up,) = Spool.left_in(tmp_path)
    assert taken_up.path == dead.path
    assert taken_up.left_over
    assert taken_up.read(9).events == [event]
    assert Spool.left_in(tmp_path) == []


def test_an_empty_spool_of_a_dead_process_is_removed(tmp_path: Path):
    dead = Spool.open(tmp_path)
    abandon(dead)
    assert Spool.left_in(tmp_path) == []
    assert not dead.path.exists()


def test_closing_removes_an_empty_file_and_leaves_one_in_which_something_waits(tmp_path: Path, events):
    empty, full = Spool.open(tmp_path), Spool.open(tmp_path)
    event = events.event()
    full.append([event], lines_of([event]))
    empty.close()
    full.close()
    assert list(tmp_path.glob("*.spool")) == [full.path]


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_line_that_was_cut_short_is_counted_and_the_ones_before_it_are_read(tmp_path: Path, events, cut: int):
    spool = Spool.open(tmp_path)
    written = [events.event(), events.event(), events.event()]
    spool.append(written, lines_of(written))
    abandon(spool)
    os.truncate(spool.path, spool.size - cut - 1)
    (left,) = Spool.left_in(tmp_path)
    batch = left.read(9)
    assert (batch.events, batch.torn) == (written[:2], 1)
    left.taken(batch)
    assert left.waiting == 0


@pytest.mark.parametrize("damage", [b"\x00", b"\xff", b"\n", b"}"])
def test_a_damaged_line_is_counted_and_the_ones_after_it_are_read(tmp_path: Path, events, damage: bytes):
    spool = Spool.open(tmp_path)
    written = [events.event(), events.event(), events.event()]
    spool.append(written, lines_of(written))
    abandon(spool)
    data = bytearray(spool.path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1] = damage
    spool.path.write_bytes(data)
    (left,) = Spool.left_in(tmp_path)
    batch = left.read(9)
    assert batch.events == [written[0], written[2]]
    assert batch.torn >= 1


def test_a_line_that_was_changed_into_another_event_is_not_believed(tmp_path: Path, events):
    spool = Spool.open(tmp_path)
    event = events.event()
    spool.append([event], lines_of([event]))
    spool.path.write_bytes(spool.path.read_bytes().replace(b'"triggered"', b'"triggerad"'))
    assert spool.read(9)[:2] == ([], 1)


def test_a_file_that_somebody_else_emptied_is_not_read_for_ever(tmp_path: Path, events):
    spool = Spool.open(tmp_path)
    event = events.event()
    spool.append([event], lines_of([event]))
    os.truncate(spool.path, 0)
    spool.taken(spool.read(9))
    assert spool.waiting == 0


def test_an_append_that_fails_halfway_leaves_no_half_line(tmp_path: Path, events, monkeypatch):
    spool = Spool.open(tmp_path)
    written = [events.event(), events.event()]
    spool.append(written[:1], lines_of(written[:1]))

    class Full:
        """A disk that takes ten bytes more."""

        def __init__(self, file):
            self.file, self.wrote = file, False

        def write(self, data):
            if self.wrote:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.wrote = True
            return self.file.write(data[:10])

        def truncate(self, size):
            return self.file.truncate(size)

    real = spool._file
    monkeypatch.setattr(spool, "_file", Full(real))
    with pytest.raises(OSError, match="No space"):
        spool.append(written[1:], lines_of(written[1:]))
    monkeypatch.setattr(spool, "_file", real)
    spool.append(written[1:], lines_of(written[1:]))
    assert spool.read(9) == (written, 0, 0, spool.size)


def test_a_folder_that_cannot_be_made_is_an_error_with_the_fix(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="GUARD_SPOOL"):
        Spool.open(tmp_path / "file" / "spool")


def test_texts_on_disk_are_readable_by_their_owner_only(tmp_path: Path):
    spool = Spool.open(tmp_path / "spool")
    assert spool.path.stat().st_mode & 0o077 == 0
    assert spool.path.parent.stat().st_mode & 0o077 == 0


TAKE_UP = """
import asyncio, sys
from pathlib import Path
from guard.store import Buffer, open_store

async def main():
    store = await open_store(sys.argv[1])
    async with Buffer(store, Path(sys.argv[2])) as buffer:
        await buffer.flush()
    print(buffer.stats.recovered, buffer.stats.torn)
    await store.close()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_workers_that_start_together_share_out_what_was_left(tmp_path: Path, events):
    written = []
    for _ in range(12):
        dead = Spool.open(tmp_path / "spool")
        batch = [events.event() for _ in range(10)]
        dead.append(batch, lines_of(batch))
        abandon(dead)
        written += batch
    url = f"sqlite:///{tmp_path / 'events.db'}"
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", TAKE_UP, url, str(tmp_path / "spool"), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    said = [(await worker.communicate())[0].split() for worker in workers]
    assert sum(int(recovered) for recovered, _ in said) == len(written)
    store = await open_store(url)
    assert await store.newest(limit=1000) == sorted(written, key=lambda event: event.id, reverse=True)
    assert list((tmp_path / "spool").glob("*.spool")) == []
    await store.close()
