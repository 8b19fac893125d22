"""The page on the SDK, as it stands there, against a real central."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import guard
from guard.client.face import Method
from guard.client.jobs import Job
from guard.errors import GuardError
from tests.docs.pages import DOCS, ROOT

PAGE = DOCS / "client.md"
TEXT = PAGE.read_text(encoding="utf-8")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """`guard central serve`, set up in a folder: its address, and an admin's key."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    environment |= {"PYTHONPATH": str(ROOT), "GUARD_CENTRAL_EVENTS": "sqlite:///events.db"}
    guard = [sys.executable, "-m", "guard", "central"]
    told = subprocess.run([*guard, "init"], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([*guard, "serve", "--port", str(port)], cwd=folder, env=environment)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(url + "/healthz").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.05)
        yield url, re.findall(r"gk-\S+", told.stdout)[0]
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom_against_guard_central_serve(tmp_path):
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.M | re.S))
    with serving(tmp_path) as (url, key):
        code = code.replace("http://127.0.0.1:8788", url).replace("gk-…", key)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GUARD_CENTRAL_KEY": key}
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "True not_triggered Where is my order?" in ran.stdout


def test_every_room_and_method_of_the_sdk_is_on_its_page():
    client = guard.Client("http://central", "k")
    rooms = {name: type(room) for name, room in vars(client).items() if not name.startswith("_")}
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, flags=re.M)}
    for name, kind in rooms.items():
        has = {one for one in dir(kind) if isinstance(getattr(kind, one), Method)}
        has |= {one for one in dir(Job) if name == "jobs" and isinstance(getattr(Job, one), Method)}
        assert set(re.findall(r"`(\w+)`", rows[name])) == has, name


def test_every_error_that_the_page_names_is_one():
    table = TEXT.partition("## When something goes wrong")[2]
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`\w+`.*?) \|", table, flags=re.M)))
    assert len(named) > 10
    assert [name for name in named if not issubclass(getattr(guard.errors, name), GuardError)] == []
