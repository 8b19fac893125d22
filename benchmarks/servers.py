"""Servers in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).parent
#: Seconds that a server may take to answer for the first time.
STARTS = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def process(
    *command: str, port: int, path: str, program: str = sys.executable, quiet: bool = False, **environment: str
) -> Iterator[tuple[str, int]]:
    """A server in a process of its own, once it answers; its base URL and pid. Raises RuntimeError if it ends first."""
    output = subprocess.DEVNULL if quiet else None
    started = subprocess.Popen(
        [program, *command], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=output
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _until_it_answers(started, url + path)
        yield url, started.pid
    finally:
        started.terminate()
        started.wait(20)


def _until_it_answers(started: subprocess.Popen[bytes], url: str) -> None:
    ends = time.monotonic() + STARTS
    while time.monotonic() < ends:
        if started.poll() is not None:
            raise RuntimeError(f"a server of the benchmark ended with status {started.returncode} before it answered")
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"a server of the benchmark did not answer within {STARTS:g} s")


def guard(stack: ExitStack, upstream: str, policy: str, folder: str, store: str) -> tuple[str, int]:
    """Guard before a provider."""
    port = free_port()
    options = ["--policy", policy, "--upstream", f"{upstream}/v1", "--port", str(port), "--store", store]
    command = ["-m", "guard", "serve", *options]
    # What it says of itself at its start would stand in the middle of the table.
    return stack.enter_context(
        process(*command, port=port, path="/healthz", quiet=True, GUARD_LOG_LEVEL="warning", GUARD_SPOOL=folder)
    )
