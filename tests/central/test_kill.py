"""Central as a process that is killed in the middle of changes: what it answered is there, and nothing is half done."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from guard.central.settings import CentralSettings
from guard.policies.central import CentralSource, Following
from guard.policies.live import LivePolicies
from guard.policies.signature import Signer, Trust
from tests.central.conftest import first_key
from tests.central.test_policies import text

pytestmark = pytest.mark.slow

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
