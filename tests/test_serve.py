"""`guard serve` as a process: it serves, follows its policy file, survives kill -9, and ends when told to."""

import asyncio
import json
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
from tests.proxy.conftest import POLICY, running

pytestmark = pytest.mark.slow

BODY = {"model": "m", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
#: Seconds that events wait at most before they are on disk, and what a busy machine may add.
BATCH, BUSY = 0.25, 1.0


@contextmanager
def serving(folder, *options, policy=POLICY, verify=True, **settings):
    """`guard serve` in a folder, once it is ready: the process and its base URL. `verify` is httpx's, for TLS."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / "policy.yaml"
    if not file.exists():
        file.write_text(policy)
    command = [sys.executable, "-m", "guard", "serve", "--policy", str(file), "--upstream", "demo", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    environment["PYTHONPATH"] = str(Path.cwd())
    environment.update({f"GUARD_{name.upper()}": str(value) for name, value in settings.items()})
    process = subprocess.Popen(
        [*command, *options], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    url = f"{'https' if 'tls_key' in settings else 'http'}://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 40
        while True:
            try:
                httpx.get(url + "/readyz", verify=verify).raise_for_status()
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


def ask(url, content="hello", verify=True):
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    return httpx.post(url + "/v1/chat/completions", json=body, verify=verify)


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


def test_sigterm_is_told_by_readyz_before_connections_are_refused(tmp_path):
    with serving(tmp_path, drain_delay=5) as (process, url):
        process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(url + "/readyz").status_code == 503)
        assert httpx.get(url + "/readyz").json()["status"] == "draining"
        assert ask(url).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert ask(url).status_code == 200
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_sigterm_ends_what_does_not_come_to_its_end_and_keeps_its_events(tmp_path):
    with running(endless) as provider:
        options = ("--upstream", f"{provider}/v1")
        with serving(tmp_path, *options, drain_delay=0, drain_timeout=1) as (process, url):
            with httpx.stream(
                "POST", url + "/v1/chat/completions", json={**BODY, "stream": True}, timeout=30
            ) as response:
                lines = response.iter_lines()
                next(lines)
                process.send_signal(signal.SIGTERM)
                with suppress(httpx.HTTPError):
                    assert "data: [DONE]" not in list(lines)
            assert process.wait(20) in (0, -signal.SIGTERM)
    assert response.headers["x-guard-event"] in {event.id for event in asyncio.run(events(tmp_path))}


async def endless(scope, receive, send):
    """A provider whose streams never end."""
    if scope["type"] != "http":
        return
    choice = {"index": 0, "delta": {"content": "word " * 200}, "finish_reason": None}
    chunk = json.dumps({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    while True:
        await send({"type": "http.response.body", "body": f"data: {chunk}\n\n".encode(), "more_body": True})
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_do_not_outlive_their_parent(tmp_path, number):
    with serving(tmp_path, "--workers", "2") as (process, url):
        pids = workers(process.pid)
        assert len(pids) >= 2
        process.send_signal(number)
        process.wait(20)
        eventually(lambda: not any(Path(f"/proc/{pid}/stat").exists() for pid in pids))
        with pytest.raises(httpx.ConnectError):
            httpx.get(url + "/healthz")


def test_a_worker_that_is_killed_is_replaced(tmp_path):
    with serving(tmp_path, "--workers", "2") as (process, url):
        before = workers(process.pid)
        os.kill(before[-1], signal.SIGKILL)
        eventually(lambda: len(workers(process.pid)) == len(before) and workers(process.pid) != before)
        eventually(lambda: ask(url).status_code == 200)


def workers(parent):
    """The processes that this one started; skips where the system does not list them."""
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    if not listed.exists():
        pytest.skip("this system lists no processes under /proc")
    return [int(pid) for pid in listed.read_text().split()]


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


async def test_kill_9_under_load_keeps_all_that_was_on_disk_and_corrupts_nothing(tmp_path):
    acknowledged, safe = {}, 0

    def on_disk(url, least):
        nonlocal safe
        stats = httpx.get(url + "/readyz").json()["events"]
        safe = stats["written"] + stats["spooled"] + stats["recovered"]
        return safe >= least

    with serving(tmp_path) as (process, url):
        load = asyncio.create_task(bombard(url, 1000, acknowledged))
        await asyncio.to_thread(eventually, lambda: on_disk(url, 300), 60)
        process.kill()
        await load
    told = safe
    with serving(tmp_path) as (_, url):
        ask(url)
        kept: set[str] = set()
        end = time.monotonic() + 60
        while len(kept) < told:
            assert time.monotonic() < end
            kept = {event.id for event in await events(tmp_path)}
    # What is missing is the end: nothing is lost from between. Ids tell milliseconds.
    missing = [time_of(event) for event in acknowledged if event not in kept]
    newest = max(time_of(event) for event in acknowledged if event in kept)
    assert all(newest - one < 0.002 for one in missing)
