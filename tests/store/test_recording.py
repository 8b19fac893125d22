"""Recording by a store's URL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.errors import StoreError
from guard.guard import Guard
from guard.store import open_store, record_to, recording
from tests.fakes import override, policy_of, spotting

POLICY = policy_of(spotting("rivals", "Acme"), input=[override("rivals")])

SCRIPT = """
from guard.guard import Guard
from guard.store import record_to
from tests.store.test_recording import POLICY
Guard(POLICY, recorder=record_to("sqlite:///script.db")).check("Acme?")
"""


async def kept(url):
    store = await open_store(url, create=False)
    try:
        return [event.status for event in await store.newest()]
    finally:
        await store.close()


async def test_a_server_records_for_as_long_as_it_runs(tmp_path):
    url = f"sqlite:///{tmp_path}/guard.db"
    async with recording(url) as recorder:
        await Guard(POLICY, recorder=recorder).acheck("Acme?")
    assert await kept(url) == ["triggered"]
    assert recorder.stats.written == 1


@pytest.mark.slow
def test_a_script_that_ends_at_once_leaves_its_events_behind(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, check=True, timeout=60)
    listed = subprocess.run(
        [sys.executable, "-m", "guard", "events", "list", "--store", "sqlite:///script.db"],
        cwd=tmp_path, env=environment, check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    assert "triggered" in listed.stdout


def test_a_store_that_cannot_be_opened_is_told_at_once():
    with pytest.raises(StoreError):
        record_to("mysql://nowhere")
