"""`guard serve` as a process: it serves, follows its policy file, survives kill -9, and ends when told to."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from guard.store import open_store, time_of
from tests.proxy.conftest import POLICY

pytestmark = pytest.mark.slow

BODY = {"model": "m", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
#: Seconds that events wait at most before they are on disk, and what a busy machine may add.
BATCH, BUSY = 0.25, 1.0


@contextmanager
def serving(folder, *options, policy=POLICY):
    """`guard serve` in a folder, once it is ready: the process and its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / "policy.yaml"
    if not file.exists():
        file.write_text(policy)
    command = [sys.executable, "-m", "guard", "serve", "--policy", str(file), "--upstream", "demo", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    environment["PYTHONPATH"] = str(Path.cwd())
    process = subprocess.Popen(
        [*command, *options], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 40
        while True:
            try:
                httpx.get(url + "/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < until
                time.sleep(0.05)
        yield process, url
    finally:
        # The workers too: they are processes of their own.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(url, content="hello"):
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    return httpx.post(url + "/v1/chat/completions", json=body)


def eventually(true, seconds=15.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_changed_policy_is_in_force_without_a_restart_and_a_broken_one_never_is(tmp_path):
    with serving(tmp_path) as (_, url):
        assert ask(url, "Initech?").headers["x-guard-status"] == "not_triggered"
        file = tmp_path / "policy.yaml"
        file.write_text(POLICY.replace("Globex", "Initech"))
        eventually(lambda: ask(url, "Initech?").headers["x-guard-status"] == "triggered")
        revision = ask(url).headers["x-guard-policy"]
        file.write_text(POLICY.replace("operator: not_empty", "operator: not_emty", 1))
        eventually(lambda: httpx.get(url + "/readyz").json()["problem"])
        problem = httpx.get(url + "/readyz").json()["problem"]
        assert "policy.yaml:11" in problem
        assert "did you mean 'not_empty'" in problem
        assert ask(url).headers["x-guard-policy"] == revision


def test_several_workers_serve_one_port_and_one_store(tmp_path):
    with serving(tmp_path, "--workers", "2") as (_, url):
        requests = [ask(url).headers["x-guard-event"] for _ in range(20)]
        time.sleep(4 * BATCH + BUSY)
        assert set(requests) <= {event.id for event in asyncio.run(events(tmp_path))}


def test_sigterm_lets_a_stream_end_before_the_process_does(tmp_path):
    with serving(tmp_path) as (process, url):
        body = {**BODY, "stream": True, "messages": [{"role": "user", "content": "tell me a story"}]}
        with httpx.stream("POST", url + "/v1/chat/completions", json=body, timeout=30) as response:
            lines = response.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            assert "data: [DONE]" in list(lines)
        # uvicorn ends in order, then lets the signal have its way.
        assert process.wait(20) in (0, -signal.SIGTERM)


async def events(folder):
    store = await open_store(f"sqlite:///{folder}/guard.db", create=False)
    try:
        return await store.newest(limit=10_000)
    finally:
        await store.close()


async def bombard(url, times, acknowledged, tasks=16):
    """Send requests until they are done or the server is gone; when each answer came, by its last event."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=tasks)) as client:
        left = iter(range(times))

        async def work():
            for _ in left:
                try:
                    response = await client.post(url + "/v1/chat/completions", json=BODY)
                except httpx.HTTPError:
                    return
                acknowledged[response.headers["x-guard-event"]] = time.time()

        await asyncio.gather(*(work() for _ in range(tasks)))


async def test_kill_9_under_load_loses_at_most_the_last_batch_and_corrupts_nothing(tmp_path):
    acknowledged = {}
    with serving(tmp_path) as (process, url):
        load = asyncio.create_task(bombard(url, 1000, acknowledged))
        await asyncio.to_thread(eventually, lambda: len(acknowledged) >= 600)
        process.kill()
        killed = time.time()
        await load
    with serving(tmp_path) as (_, url):
        ask(url)
        await asyncio.sleep(4 * BATCH + BUSY)
        kept = {event.id for event in await events(tmp_path)}
    missing = [event for event in acknowledged if event not in kept]
    assert all(killed - time_of(event) < BATCH + BUSY for event in missing)
    assert len(kept) > 300
