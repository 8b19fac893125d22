"""What central costs: pages of lists, and how long a release takes to be in force at twenty proxies.

python -m benchmarks.central          200 stages of 50 versions, 1,000 apps, 20 followers, SQLite
python -m benchmarks.central URL      the same on the Postgres database at that URL, which must be empty
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from guard.central.central import open_database
from guard.central.change import Change, changing
from guard.central.principal import OPERATOR
from guard.central.records import keys, projects, stages
from guard.policies.central import PAUSE, CentralSource, Following
from guard.policies.live import LivePolicies
from guard.policies.signature import Signer, Trust

STAGES, VERSIONS, APPS, PROXIES, TRIES = 200, 50, 1_000, 20, 30
DOCUMENT = {"rulesets": [{"name": "long", "rules": [{"metric": "word_count", "operator": "gt", "target_value": 9}]}]}
HERE = "/projects/shop/environments/production"


async def fill(change: Change) -> str:
    """A project with many stages, versions and apps; an admin's key."""
    project = await projects.create(change, "shop")
    for number in range(APPS):
        await projects.add_app(change, project, f"app-{number:04}")
    for number in range(STAGES):
        made = await stages.create(
            change, project, f"stage-{number:03}", kind="central", description="", document=DOCUMENT
        )
        for _ in range(VERSIONS - 1):
            await stages.update(change, await stages.by_id(change.connection, made), DOCUMENT)
    return (await keys.create(change, "bench", "admin", project=None))[1]


def pages(client: httpx.Client) -> None:
    """Milliseconds of a page of each list, as a client waits for it."""
    for path in ("/projects/shop/stages", "/projects/shop/stages/stage-100/versions", "/projects/shop/apps", "/audit"):
        took = []
        for _ in range(TRIES):
            started = time.perf_counter()
            client.get(path, params={"limit": 200}).raise_for_status()
            took.append((time.perf_counter() - started) * 1000)
        took.sort()
        print(f"{path:42} median {statistics.median(took):6.1f} ms   worst of {TRIES} {took[-1]:6.1f} ms")


async def releases(client: httpx.Client, url: str, key: str, public: str, folder: Path) -> None:
    """Seconds from the call that puts a version in force until it is in force at every follower."""
    # Each follower holds a thread while it waits; real ones are processes of their own.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * PROXIES))
    async with asyncio.TaskGroup() as group:
        followers = []
        for number in range(PROXIES):
            following = Following(url, "shop", "production", key, Trust([public]))
            live = LivePolicies(CentralSource(following, cache=folder / str(number)), interval=PAUSE)
            followers.append(await live.__aenter__())
        for version in (2, 3, 4):
            publish(client, version)
            started = time.perf_counter()
            await asyncio.to_thread(put, client, version)
            wanted = (await asyncio.to_thread(client.get, HERE)).json()["sequence"]
            while any(one.source.active.bundle.sequence < wanted for one in followers):  # type: ignore  # noqa: ASYNC110, PGH003
                await asyncio.sleep(0.005)
            print(f"release {wanted} in force at {PROXIES} followers after {time.perf_counter() - started:5.2f} s")
        for live in followers:
            group.create_task(live.__aexit__(None, None, None))


def publish(client: httpx.Client, version: int) -> None:
    """Publish the next version of the policy."""
    rules = f"[{{metric: word_count, operator: gt, target_value: {version}}}]"
    text = f"policy: support\nstages: {{input: {{rulesets: [{{name: long, rules: {rules}}}]}}}}\n"
    client.put("/projects/shop/policies/support", json={"text": text}).raise_for_status()
    client.post("/projects/shop/policies/support/versions", json={}).raise_for_status()


def put(client: httpx.Client, version: int) -> None:
    """Put a version in force."""
    client.put(f"{HERE}/policies/support", json={"version": version}).raise_for_status()


async def prepared(database: str) -> str:
    """The database filled; an admin's key."""
    opened = await open_database(database, create=True)
    async with changing(opened, OPERATOR) as change:
        key = await fill(change)
    await opened.close()
    return key


def main() -> None:
    """Fill, serve, measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder / 'central.db'}"
        signer = Signer.new()
        signer.write(folder / "central.pem")
        started = time.perf_counter()
        key = asyncio.run(prepared(database))
        print(f"{STAGES} stages of {VERSIONS} versions, {APPS} apps: filled in {time.perf_counter() - started:.1f} s")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "central.yaml").write_text(
            f"database: '{database}'\nsigning_key: {folder / 'central.pem'}\nport: {port}\nrate: 0\n"
        )
        command = [sys.executable, "-m", "guard", "central", "serve", "--config", str(folder / "central.yaml")]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            headers = {"authorization": f"Bearer {key}"}
            with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=30) as client:
                wait_for(url)
                pages(client)
                publish(client, 1)
                put(client, 1)
                asyncio.run(releases(client, url, key, signer.public, folder))
        finally:
            server.terminate()
            server.wait(20)


def wait_for(url: str) -> None:
    """Return once central answers."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            httpx.get(f"{url}/healthz").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("central did not start")


if __name__ == "__main__":
    main()
