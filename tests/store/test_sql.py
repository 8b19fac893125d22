"""What every store promises; the same tests on memory, SQLite and Postgres."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard.errors import StoreError
from guard.metrics import Probe, Score
from guard.store import Filter, Store, new_id, open_store, spool_folder, time_of
from guard.store.store import sqlite_file


async def test_an_event_comes_back_as_it_was_written(store: Store, events):
    event = events.event()
    await store.write([event])
    assert await store.get(event.id) == event
    assert await store.get(new_id()) is None


async def test_writing_an_event_again_leaves_the_first_one(store: Store, events):
    first = events.event(id=new_id(), policy="first")
    again = events.event(id=first.id, policy="again")
    other = events.event()
    await store.write([first])
    await store.write([again, other])
    assert await store.get(first.id) == first
    assert await store.count() == 2


async def test_the_newest_come_first_and_pages_join_without_gap_or_overlap(store: Store, events):
    written = [events.event(id=new_id(1_000.0 + n)) for n in range(7)]
    await store.write(written[3:])
    await store.write(written[:3])
    pages, before = [], None
    while page := await store.newest(limit=3, before=before):
        pages += page
        before = page[-1].id
    assert pages == written[::-1]


async def test_every_field_of_a_filter_is_heeded(store: Store, events):
    wanted: dict[str, Any] = {
        "project": "p", "app": "a", "policy": "po", "revision": "r9", "stage": "front", "kind": "input",
        "status": "triggered", "ruleset": "hide personal data", "action": "redact", "user": "u1", "session": "s1",
    }  # fmt: skip
    event = events.event(project="p", app="a", policy="po", revision="r9", id=new_id(2_000.0))
    await store.write([event])
    assert await store.newest(Filter(**wanted)) == [event]
    for name, value in wanted.items():
        assert await store.newest(replace(Filter(), **{name: "another"})) == [], name
        assert await store.count(replace(Filter(), **{name: value})) == 1, name


async def test_since_is_inclusive_and_until_exclusive(store: Store, events):
    written = [events.event(id=new_id(1_000.0 + n)) for n in range(4)]
    await store.write(written)
    assert await store.newest(Filter(since=1_001.0, until=1_003.0)) == [written[2], written[1]]
    assert await store.count(Filter(since=1_003.0)) == 1


async def test_the_events_of_a_request_come_in_order(store: Store, events):
    late, early = events.event(request="r", id=new_id(2_000.0)), events.event(request="r", id=new_id(1_000.0))
    await store.write([late, early, events.event(request="r2")])
    assert await store.of_request("r") == [early, late]


async def test_the_beginning_of_an_id_or_a_request_finds_events(store: Store, events):
    event = events.event(id=new_id(5e8), request="req_%7")
    other = events.event(id=new_id(1e9), request="req_x7")
    await store.write([event, other])
    assert await store.find(event.id[:13]) == [event]
    assert await store.find("req_%") == [event]
    assert await store.find("req_") == [event, other]
    assert await store.find("req_", limit=1) == [event]
    assert await store.find("nothing") == []


async def test_tailing_misses_nothing_that_arrives_late_and_repeats_nothing(store: Store, events):
    await store.write([events.event(id=new_id(2_000.0))])
    place = await store.place()
    late = [events.event(id=new_id(1_000.0 + n)) for n in range(3)]
    await store.write(late)
    first = await store.tail(place, limit=2)
    rest = await store.tail(first.place, limit=2)
    assert first.events + rest.events == late
    assert await store.tail(rest.place) == ([], rest.place)


async def test_tailing_by_a_filter_moves_past_what_it_leaves_out(store: Store, events):
    await store.write([events.event(app="a"), events.event(app="b"), events.event(app="c")])
    arrived = await store.tail(0, Filter(app="b"))
    assert [event.app for event in arrived.events] == ["b"]
    assert arrived.place == await store.place()


async def test_pruning_removes_what_is_older_or_too_many(store: Store, events):
    written = [events.event(id=new_id(1_000.0 + n)) for n in range(6)]
    await store.write(written)
    assert await store.prune(before=1_002.0) == 2
    assert await store.prune(keep=3) == 1
    assert await store.prune(keep=3) == 0
    assert await store.newest() == written[:2:-1]


async def test_a_place_is_not_used_again_after_pruning(store: Store, events):
    await store.write([events.event(), events.event()])
    place = await store.place()
    await store.prune(keep=0)
    new = events.event()
    await store.write([new])
    assert (await store.tail(place)).events == [new]


async def test_pruning_takes_more_than_one_transaction_holds(store: Store, events, monkeypatch):
    monkeypatch.setattr("guard.store.sql.PRUNED_AT_ONCE", 2)
    await store.write([events.event() for _ in range(5)])
    assert await store.prune(keep=0) == 5


async def test_text_that_no_database_takes_is_stored(store: Store, events):
    odd = "a\x00b\ud800c😀"
    found_nothing = events.measured | {Probe("pii", "input"): Score((), ())}
    event = events.event(text=odd, measured=found_nothing, request=odd * 1000, app=odd, policy=odd)
    await store.write([event])
    back = await store.get(event.id)
    assert back is not None
    assert back == event
    assert back.text["input"] == ["a\ufffdb\ufffdc😀"]


async def test_concurrent_writers_and_readers_do_not_disturb_each_other(url: str, events):
    stores = [await open_store(url) for _ in range(4)]
    written = [[events.event() for _ in range(20)] for _ in stores]
    seen, place = [], 0

    async def write(store: Store, mine) -> None:
        for event in mine:
            await store.write([event])

    writing = asyncio.gather(*(write(store, mine) for store, mine in zip(stores, written, strict=True)))
    while len(seen) < 80:
        # Asked before: what is written after an empty look is there for the next one.
        written_all = writing.done()
        arrived = await stores[0].tail(place)
        seen += arrived.events
        place = arrived.place
        if written_all and not arrived.events:
            break
    await writing
    assert {event.id for event in seen} == {event.id for mine in written for event in mine}
    for store in stores:
        await store.close()


async def test_stores_opened_at_once_make_the_tables_once(url: str, events):
    stores = await asyncio.gather(*(open_store(url) for _ in range(8)))
    await asyncio.gather(*(store.write([events.event()]) for store in stores))
    assert await stores[0].count() == 8
    for store in stores:
        await store.close()


@pytest.mark.slow
async def test_processes_that_start_at_once_all_open_the_same_new_file(tmp_path: Path):
    code = "import asyncio, sys; from guard.store import open_store; asyncio.run(open_store(sys.argv[1]))"
    file = tmp_path / "events.db"
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(file), stderr=asyncio.subprocess.PIPE)
        for _ in range(6)
    ]
    errors = [(await process.communicate())[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, errors


async def test_a_newer_schema_is_refused_with_the_way_out(url: str, monkeypatch):
    await (await open_store(url)).close()
    monkeypatch.setattr("guard.store.sql.SCHEMA", 0)
    with pytest.raises(StoreError, match=r"newer Guard .*upgrade stageguard"):
        await open_store(url)


async def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database " * 100)
    with pytest.raises(StoreError, match=r"notes\.txt does not work: file is not a database"):
        await open_store(str(file))


async def test_a_server_that_is_not_there_is_an_error_without_the_password():
    pytest.importorskip("asyncpg")
    with pytest.raises(StoreError, match="does the server run") as told:
        await open_store("postgresql://guard:hunter2@127.0.0.1:1/guard?sslmode=disable")
    assert "hunter2" not in str(told.value)


async def test_a_store_that_is_only_read_is_not_made(tmp_path: Path):
    with pytest.raises(StoreError, match="there are no events at"):
        await open_store(str(tmp_path / "none.db"), create=False)
    assert not (tmp_path / "none.db").exists()


def test_urls_and_paths_name_files():
    assert sqlite_file("sqlite:///guard.db") == Path("guard.db")
    assert sqlite_file("sqlite:////var/guard.db") == Path("/var/guard.db")
    assert sqlite_file("data/guard.db") == Path("data/guard.db")
    assert sqlite_file("postgresql://h/n") is None
    assert spool_folder("sqlite:///data/guard.db") == Path("data/guard.db.spool")
    with pytest.raises(StoreError, match="write sqlite:///FILE"):
        sqlite_file("mysql://h/n")
    with pytest.raises(StoreError, match="write sqlite:///FILE"):
        sqlite_file("sqlite://")


def test_ids_sort_by_time_and_tell_it():
    moments = [0.001, 1_000.0, 1_700_000_000.25, 1_700_000_000.250_3, 4e9]
    ids = [new_id(at) for at in moments]
    assert ids == sorted(ids)
    assert [time_of(one) for one in ids] == pytest.approx(moments, abs=1e-6)
    assert len({new_id(1.0) for _ in range(1000)}) == 1000
    with pytest.raises(ValueError, match="no event id"):
        time_of("evt-1")
