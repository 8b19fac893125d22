"""Central as a process that is killed in the middle of changes: what it answered is there, and nothing is half done."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.central.records.jobs import SILENT
from guard.central.settings import CentralSettings
from guard.policies.central import CentralSource, Following
from guard.policies.live import LivePolicies
from guard.policies.signature import Signer, Trust
from tests.central.conftest import first_key
from tests.central.process import Command, eventually
from tests.central.test_policies import text

pytestmark = pytest.mark.slow

ROWS = 3_000
HERE = "/api/v1/projects/shop/environments/production"


@contextmanager
def serving(folder: Path, url: str) -> Iterator[subprocess.Popen]:
    """`guard central serve`, once it answers."""
    command = [sys.executable, "-m", "guard", "central", "serve", "--config", "central.yaml"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    environment["PYTHONPATH"] = str(Path.cwd())
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(url + "/healthz").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_central_that_is_killed_keeps_what_it_answered_and_followers_go_on(central_url: str, tmp_path: Path) -> None:
    signer = Signer.new()
    signer.write(tmp_path / "central.pem")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "central.yaml").write_text(
        f"database: '{central_url}'\nsigning_key: central.pem\nport: {port}\nrate: 0\n"
    )
    settings = CentralSettings(database=central_url, signing_key=str(tmp_path / "central.pem"))
    key = asyncio.run(first_key(settings))
    url = f"http://127.0.0.1:{port}"
    client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30)
    following = Following(url, "shop", "production", key, Trust([signer.public]))
    live = LivePolicies(CentralSource(following, cache=tmp_path / "cache"))
    answered: list[int] = []
    with serving(tmp_path, url) as process:
        client.post("/api/v1/projects", json={"name": "shop"}).raise_for_status()
        for words in (3, 9):
            client.put("/api/v1/projects/shop/policies/support", json={"text": text(words)}).raise_for_status()
            client.post("/api/v1/projects/shop/policies/support/versions", json={}).raise_for_status()
        with pytest.raises(httpx.HTTPError):
            for number in range(10_000):
                put = client.put(f"{HERE}/policies/support", json={"version": number % 2 + 1})
                answered.append(put.json()["sequence"])
                if number == 0:
                    live.load()
                if number == 10:
                    os.kill(process.pid, signal.SIGKILL)
    assert len(answered) > 10
    before = live.current.policies[0].revision
    live.look()
    assert live.status.error is not None and live.current.policies[0].revision == before, "central is away"
    with serving(tmp_path, url):
        sequences = [one["sequence"] for one in client.get(f"{HERE}/releases", params={"limit": 200}).json()["items"]]
        assert sequences == list(range(len(sequences), 0, -1))
        assert set(answered) <= set(sequences)
        assert client.get("/api/v1/audit/check").json() == {"whole": True, "broken_at": None}
        lines = client.get("/api/v1/audit", params={"limit": 200}).json()["items"]
        assert len([line for line in lines if line["action"] == "put in force"]) == len(sequences)
        live.look()
        assert live.status.error is None
        source = live.source
        assert isinstance(source, CentralSource) and source.active and source.active.bundle.sequence == sequences[0]


def test_a_job_under_a_killed_central_goes_on_behind_its_last_row_and_one_that_kills_three_fails(
    tmp_path: Path,
) -> None:
    command = Command(tmp_path, rate=0)
    key, _ = command.init()
    client = command.client(key)
    lines = b"".join(b'{"text": "%s"}\n' % (b"write to me today " * 32) for _ in range(ROWS))
    digest = hashlib.sha256(lines).hexdigest()
    with command.serving() as process:
        client.post("/projects", json={"name": "shop"})
        client.put(f"/projects/shop/blocks/{digest}", content=lines)
        client.post("/projects/shop/datasets", json={"name": "q", "digest": digest, "blocks": [digest]})
        first = started(client)
        killed_in_the_middle(client, process, first)
    silent(tmp_path)
    with command.serving() as process:
        job = eventually(lambda: ended(client, first), 120)
        assert (job["state"], job["problem"], job["done"]) == ("done", "", ROWS)
        rows, cursor = [], 0
        while cursor is not None:
            page = client.get(f"/projects/shop/jobs/{first}/results", params={"limit": 200, "cursor": cursor}).json()
            rows += [(one["row"], one["scores"]["word_count"]["value"]) for one in page["items"]]
            cursor = page["next"]
        assert rows == [(number, 128.0) for number in range(ROWS)], "each row once"
        second = started(client)
        killed_in_the_middle(client, process, second)
    for _ in range(2):
        silent(tmp_path)
        with command.serving() as process:
            killed_in_the_middle(client, process, second)
    silent(tmp_path)
    with command.serving():
        job = eventually(lambda: ended(client, second))
        assert job["state"] == "failed"
        assert "central ended 3 times while it worked on this job" in job["problem"]
        assert 0 < job["done"] < ROWS


def started(client: httpx.Client) -> str:
    ask = {"kind": "score", "metrics": ["word_count", "secrets"]}
    return client.post("/projects/shop/jobs", json={"dataset": "q", "ask": ask}).json()["id"]


def ended(client: httpx.Client, job: str) -> dict[str, Any] | None:
    found = client.get(f"/projects/shop/jobs/{job}").json()
    return found if found["state"] in ("done", "failed", "cancelled") else None


def killed_in_the_middle(client: httpx.Client, process: subprocess.Popen, job: str) -> None:
    """Kill central once it has done something more of a job, and not all."""

    def done() -> dict[str, Any]:
        found = client.get(f"/projects/shop/jobs/{job}").json()
        assert found["state"] in ("pending", "running"), found["state"]
        return found

    before = done()["done"]
    until = time.monotonic() + 60
    while (now := done())["state"] != "running" or now["done"] <= before:
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def silent(folder: Path) -> None:
    """As if the time had gone by after which a process that says nothing is taken for dead."""
    with closing(sqlite3.connect(folder / "central.db")) as connection, connection:
        connection.execute("UPDATE central_jobs SET heard_at = heard_at - ?", (SILENT + 1,))
