"""`guard events` on a store that a Guard wrote."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guard.cli.events import app
from guard.errors import GuardError, SettingsError, StoreError
from guard.metrics import Probe, Score, Turn
from guard.stages import Stage, decide
from guard.store import Buffer, Event, new_id, open_store

ROOT = Path(__file__).parents[2]
STAGE = Stage.model_validate(
    {
        "name": "front",
        "kind": "input",
        "rulesets": [
            {
                "name": "injection",
                "rules": [{"metric": "prompt_injection", "operator": "gte", "target_value": 0.9}],
                "action": {"type": "override", "choices": ["No."]},
            }
        ],
    }
)


def event(score: float = 0.2, text: str = "hello", **given) -> Event:
    decision = decide(STAGE, {Probe("prompt_injection", "input"): Score(score, reason="it asks for the system prompt")})
    labels = {"user": given.pop("user", "u1")}
    fields = {"policy": "support", "revision": "r1", "request": new_id(), "millis": 1.5, "app": "shop"}
    return Event.of(decision, Turn.of(text, **labels), **(fields | given))


def write(file: Path, *events: Event) -> None:
    async def work() -> None:
        store = await open_store(str(file))
        await store.write(events)
        await store.close()

    asyncio.run(work())


@pytest.fixture
def file(tmp_path: Path, monkeypatch) -> Path:
    """The store that the settings name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARD_STORE", "sqlite:///events.db")
    return tmp_path / "events.db"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def fails(*arguments: str, error: type[GuardError] = SettingsError) -> str:
    with pytest.raises(error) as told:
        run(*arguments)
    return str(told.value)


def test_list_shows_the_newest_first_with_what_decided_and_why(file: Path):
    old, new = event(0.95, id=new_id(time.time() - 60)), event()
    write(file, old, new)
    lines = run("list").splitlines()
    assert lines[0].split() == ["time,", "id", "app", "stage", "status", "ruleset", "why"]
    assert "not_triggered" in lines[1]
    assert lines[2].startswith(new.id[:18])
    assert lines[3].split()[2:6] == ["shop", "front", "triggered", "injection"]
    assert "override" in " ".join(lines[3:])
    assert max(map(len, lines)) <= 100


def test_list_heeds_every_filter(file: Path):
    write(
        file,
        event(0.95, app="other", policy="strict"),
        event(id=new_id(time.time() - 7200), app="old"),
    )
    for arguments in (
        ["--status", "triggered"],
        ["--app", "other"],
        ["--policy", "strict"],
        ["--since", "1h"],
        ["--limit", "1"],
    ):
        assert "other" in run("list", *arguments)
        assert "old" not in run("list", *arguments)
    assert "old" in run("list", "--since", "3h")
    assert "old" in run("list", "--since", "1999-12-31")
    assert run("list", "--stage", "back").strip() == "no events"


def test_show_takes_the_beginning_of_an_id_and_adds_the_others_of_the_request(file: Path):
    first, second = event(request="r1", id=new_id(1e9)), event(0.95, request="r1", id=new_id(2e9))
    write(file, first, second, event(id=new_id(2e9 + 3600)))
    said = run("show", second.id[:14])
    assert "it asks for the system prompt" in said
    assert second.id in said
    others = said.split("others of this request")[1]
    assert first.id[:18] in others
    assert second.id[:18] not in others


def test_show_takes_a_request_and_shows_all_its_events_in_full(file: Path):
    first, second = event(request="req-77"), event(0.95, request="req-77")
    write(file, first, second, event(request="req-8"))
    for name in ("req-77", "req-7"):
        said = run("show", name)
        assert first.id in said
        assert second.id in said
        assert "others" not in said


def test_show_says_what_to_do_when_nothing_or_too_much_is_meant(file: Path):
    events = event(request="req-1"), event(request="req-2")
    write(file, *events)
    assert "guard events list" in fails("show", "nothing")
    said = fails("show", "req")
    assert "give more" in said
    assert all(one.id in said for one in events)
    assert events[0].id in run("show", "req-1")


def test_a_stored_text_cannot_give_orders_to_the_terminal(file: Path):
    one = event(text="\x1b[2J\x9b31m [bold]gone[/bold] \u202eesrever\r!", app="\x1b]0;title\x07")
    write(file, one)
    said = run("show", one.id) + run("list") + run("tail")
    assert not set(said) & set("\x1b\x9b\x07\r\u202e")
    assert "[bold]gone[/bold]" in said


def test_tail_shows_the_newest_last(file: Path):
    events = [event(app=f"app{number}", id=new_id(1e9 + number)) for number in range(4)]
    write(file, *events)
    said = run("tail", "-n", "2")
    assert "app1" not in said
    assert said.index("app2") < said.index("app3")


@pytest.mark.slow
def test_tail_follows_what_comes_until_interrupted(file: Path):
    write(file, event(app="before"))
    process = subprocess.Popen(
        [sys.executable, "-m", "guard", "events", "tail", "-f"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen += [app for app in ("before", "after") if app in line]
        if "before" in line:
            write(file, event(app="after"))
        if "after" in line:
            process.send_signal(signal.SIGINT)
    assert seen == ["before", "after"]
    assert process.wait() == 0


def test_export_gives_every_event_back_in_the_order_of_arrival(file: Path, tmp_path: Path):
    events = [event(id=new_id(2e9 - number)) for number in range(3)]
    write(file, *events)
    assert [Event.from_json(line) for line in run("export").splitlines()] == events
    run("export", "--out", str(tmp_path / "out.jsonl"), "--limit", "2")
    assert [Event.from_json(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == events[:2]


def test_export_pages_through_more_than_one_page(file: Path):
    write(file, *(event(app=f"a{number % 2}") for number in range(2_100)))
    assert len(run("export").splitlines()) == 2_100
    assert len(run("export", "--app", "a1", "--limit", "1020").splitlines()) == 1_020


def test_an_exported_table_runs_no_formula_in_a_spreadsheet(file: Path):
    one = event(text="=1+1", user="@SUM(A1)")
    write(file, one)
    (row,) = csv.DictReader(io.StringIO(run("export", "--format", "csv")))
    assert row["id"] == one.id
    assert (row["text"], row["user"], row["millis"]) == ("'=1+1", "'@SUM(A1)", "1.5")


def test_a_file_that_cannot_be_written_is_an_error_with_the_fix(file: Path):
    write(file, event())
    assert "name a file with --out" in fails("export", "--out", "no/such/folder/out.jsonl")


def test_what_a_dead_process_left_is_taken_up_before_it_is_shown(file: Path):
    write(file, event())
    left = event(app="left-over")

    async def die() -> None:
        store = await open_store(str(file))
        buffer = await Buffer(store, file.with_name("events.db.spool"), interval=3600).start()
        buffer.add(lambda *, masker: left)
        for task in buffer._tasks:
            task.cancel()
        buffer._end()
        await store.close()

    asyncio.run(die())
    assert "left-over" in run("list")
    assert Event.from_json(run("export", "--app", "left-over")) == left


def test_what_waits_in_an_unusable_folder_is_said_and_the_rest_is_shown(file: Path):
    write(file, event(app="stored"))
    folder = file.with_name("events.db.spool")
    folder.mkdir()
    (folder / "lock").mkdir()
    result = CliRunner().invoke(app, ["list"], env={"COLUMNS": "100"})
    assert "stored" in result.stdout
    assert "not shown is what may wait" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["list", "--status", "trigered"], "did you mean 'triggered'"),
        (["list", "--since", "soon"], "write 30s, 15m, 1h"),
        (["list", "--store", "memory"], "--store sqlite:///guard.db"),
        (["export", "--store", "none"], "--store sqlite:///guard.db"),
    ],
)
def test_errors_say_what_to_write_instead(file: Path, arguments, fix):
    assert fix in fails(*arguments)


def test_a_store_that_is_not_there_is_not_made_by_looking(file: Path):
    assert "no events at events.db" in fails("list", error=StoreError)
    assert not file.exists()


def test_another_store_can_be_named(file: Path, tmp_path: Path):
    write(tmp_path / "elsewhere.db", event(app="elsewhere"))
    assert "elsewhere" in run("list", "--store", "elsewhere.db")
    assert "elsewhere" in run("list", "--store", f"sqlite:///{tmp_path / 'elsewhere.db'}")


def test_the_database_can_be_read_with_plain_sql(file: Path):
    one = event(0.95)
    write(file, one)
    query = "SELECT id, app, status, ruleset, document FROM guard_events"
    identifier, app_name, status, ruleset, document = sqlite3.connect(file).execute(query).fetchone()
    assert (identifier, app_name, status, ruleset) == (one.id, "shop", "triggered", "injection")
    assert json.loads(document)["explanation"] == one.explanation
