"""Servers in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def process(*command: str, port: int, path: str, **environment: str):
    """A server in a process of its own, once it answers; its base URL and pid."""
    started = subprocess.Popen([sys.executable, *command], env={**os.environ, **environment})
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(url + path, timeout=1).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.05)
        yield url, started.pid
    finally:
        started.terminate()
        started.wait(20)


def guard(stack: ExitStack, upstream: str, policy: str, folder: str, store: str):
    """Guard before the canned upstream."""
    port = free_port()
    options = ["--policy", policy, "--upstream", f"{upstream}/v1", "--port", str(port), "--store", store]
    command = ["-m", "guard", "serve", *options]
    return stack.enter_context(
        process(*command, port=port, path="/healthz", GUARD_LOG_LEVEL="warning", GUARD_SPOOL=folder)
    )
