"""Central as its users run it: the command `guard central` in processes of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

COMMAND = [sys.executable, "-m", "guard"]


class Command:
    """`guard` in a folder with settings of central's as variables, and what it wrote."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.log = folder, folder / "central.log"
        scheme = "https" if "tls_key" in settings else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
        self.variables["PYTHONPATH"] = str(Path.cwd())
        self.variables |= {f"GUARD_CENTRAL_{name.upper()}": str(value) for name, value in settings.items()}

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """What a verb of `guard` answers; its exit status is the caller's to look at."""
        environment = {**self.variables, **variables}
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120
        )

    def init(self) -> tuple[str, str]:
        """An admin's key, and central's public key."""
        made = self("central", "init")
        assert made.returncode == 0, made.stderr
        key, public = (line.split(": ")[1] for line in made.stdout.splitlines())
        return key, public

    @contextmanager
    def serving(self, verify: Any = True) -> Iterator[subprocess.Popen[bytes]]:
        """`guard central serve`, once it answers; `verify` is httpx's. It is killed at the end, if it still runs."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, "central", "serve", "--port", str(self.port)],
                cwd=self.folder, env=self.variables, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    httpx.get(f"{self.url}/healthz", verify=verify).raise_for_status()
                    break
                except httpx.HTTPError:
                    assert process.poll() is None, self.log.read_text()
                    assert time.monotonic() < until
                    time.sleep(0.1)
            yield process
        finally:
            process.kill()
            process.wait()

    def client(self, key: str, verify: Any = True) -> httpx.Client:
        """A client of its routes with a key; what is refused is raised."""

        def refused(response: httpx.Response) -> None:
            if response.is_error:
                response.read()
                raise AssertionError(f"{response.status_code}: {response.text}")

        headers = {"authorization": f"Bearer {key}"}
        return httpx.Client(
            base_url=f"{self.url}/api/v1", headers=headers, timeout=60, verify=verify,
            event_hooks={"response": [refused]},
        )  # fmt: skip


def eventually(true: Any, seconds: float = 30.0) -> Any:
    """What becomes true in the end."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return found
