"""Decisions to record, and the three stores that the same tests run on."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guard.metrics import Measurement, Probe, Score, Span, Turn
from guard.stages import Stage, decide
from guard.store import Event, Store, new_id, open_store

STAGE = Stage.model_validate(
    {
        "name": "front",
        "kind": "input",
        "rulesets": [
            {
                "name": "injection",
                "rules": [{"metric": "prompt_injection", "operator": "gte", "target_value": 0.9}],
                "action": {"type": "override", "choices": ["No."]},
            },
            {
                "name": "hide personal data",
                "rules": [{"metric": "pii", "operator": "any", "target_value": ["email", "name"]}],
                "action": {"type": "redact"},
            },
            {"name": "long", "mode": "observe", "rules": [{"metric": "words", "operator": "gt", "target_value": 5}]},
        ],
    }
)
TEXT = "I am Ada Lovelace, write to ada@example.org please"
MEASURED: dict[Probe, Measurement] = {
    Probe("prompt_injection", "input"): Score(0.12, millis=3.25, model="ngrams"),
    Probe("pii", "input"): Score(
        ("name", "email"),
        ("name", "email"),
        (Span(5, 17, "name", 0.85), Span(28, 43, "email")),
        "Ada Lovelace is a name",
    ),
    Probe("words", "input"): Score(8.0),
}


def make(**given: Any) -> Callable[..., Event]:
    """What makes an event of STAGE's decision; `stage`, `measured`, `text`, `turn` say of what, the rest is fields."""
    stage = given.pop("stage", STAGE)
    decision = decide(stage, given.pop("measured", MEASURED))
    text = given.pop("text", TEXT)
    turn = given.pop("turn", None) or Turn.of(text, app="shop", user="u1", session="s1")
    fields = {"policy": "support", "revision": "r1", "request": "q", "millis": 1.5, "app": "shop", "id": new_id()}
    return partial(Event.of, decision, turn, **(fields | given))


@pytest.fixture
def events() -> SimpleNamespace:
    """`events.make(...)` is what is handed to a buffer, `events.event(...)` the event it makes."""
    return SimpleNamespace(make=make, event=lambda **given: make(**given)(), stage=STAGE, measured=MEASURED, text=TEXT)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a Postgres server of our own, which runs as a user without privileges."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("no Postgres server is installed here (initdb was not found)")
    user = next((name for name in ("postgres", "nobody") if os.geteuid() == 0 and _is_user(name)), None)
    folder = Path(tempfile.mkdtemp(prefix="guard-postgres-"))
    if user:
        shutil.chown(folder, user)
    as_user: dict[str, Any] = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    data, port = folder / "data", _free_port()
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "guard", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        **as_user,
    )
    options = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    server = subprocess.Popen([programs / "postgres", "-D", data, "-p", str(port), *options], **as_user)
    try:
        _wait_for(programs, port)
        yield f"postgresql://guard@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is."""
    return await _empty(request, tmp_path)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    opened = await open_store(await _empty(request, tmp_path))
    yield opened
    await opened.close()


async def _empty(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "memory":
        return "memory"
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'events.db'}"
    asyncpg = pytest.importorskip("asyncpg", reason="the Postgres driver is not installed")
    url = request.getfixturevalue("postgres")
    connection = await asyncpg.connect(url)
    await connection.execute("DROP TABLE IF EXISTS guard_events, guard_schema")
    await connection.close()
    return url


def _postgres_programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    # Debian keeps the server's programs off the path.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return versions[-1].parent if versions else None


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(programs: Path, port: int) -> None:
    for _ in range(200):
        ready = subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
        if ready.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("the Postgres server did not start")
