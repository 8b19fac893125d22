"""Galileo's real clients, each in an environment of its own, and central served to them for real."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guard.central.app import create_app
from guard.central.compat.galileo import names
from guard.central.settings import CentralSettings
from guard.metrics import Metric, Score
from guard.metrics.registry import REGISTRY
from guard.policies.signature import Signer
from tests.central.conftest import first_key
from tests.proxy.conftest import running

HERE = Path(__file__).parent
SECRET = "the webhook's secret"


def _slow(turn: Any, side: Any) -> Score:
    time.sleep(1)
    return Score(9.0)


def _broken(turn: Any, side: Any) -> Score:
    raise RuntimeError("the model is ill")


def _gone() -> None:
    raise OSError("no such file: model.onnx")


METRICS = REGISTRY.child(
    {
        "slow": Metric("slow", _slow),
        "broken": Metric("broken", _broken),
        "unloadable": Metric("unloadable", _broken, warm_up=_gone),
    }
)


class Hook:
    """A webhook that is out of order the first time it is called."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.calls.append((dict(request.headers), await request.body()))
        return Response(status_code=500 if len(self.calls) == 1 else 204)


class Told(NamedTuple):
    """What a client's script told, and what the webhook was."""

    steps: dict[str, Any]
    hook: Hook


@contextmanager
def told_by(script: str, database: str, folder: Path, python: Path) -> Iterator[Told]:
    """A client's script, run against central on an empty database."""
    Signer.new().write(folder / "central.pem")
    settings = CentralSettings.model_validate(
        {
            "database": database,
            "signing_key": str(folder / "central.pem"),
            "webhook_secret": SECRET,
            "webhook_private": True,
        }
    )
    key = asyncio.run(first_key(settings))
    for metric in (METRICS["pii"], names.pii(), METRICS["toxicity"]):
        assert metric.warm_up
        metric.warm_up()  # the client does not wait a minute for libraries to be imported
    hook = Hook()
    with running(hook.app) as hooks, running(create_app(settings, METRICS)) as url:
        made = httpx.post(
            f"{url}/api/v1/keys",
            json={"name": "viewer", "role": "viewer"},
            headers={"authorization": f"Bearer {key}"},
        ).raise_for_status()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GALILEO_API_URL": url,
            "GALILEO_CONSOLE_URL": url,
            "GALILEO_API_KEY": key,
            "VIEWER_KEY": made.json()["key"],
            "WEBHOOK": f"{hooks}/hook",
        }
        done = subprocess.run([python, HERE / script], env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-4000:]
        yield Told(json.loads(done.stdout.splitlines()[-1]), hook)


def environment(request: pytest.FixtureRequest, name: str) -> Path:
    """The Python of an environment with the packages of a file of pins; skips where no registry can be reached.

    It is kept beside pytest's cache, so that only the first run takes half a minute.
    """
    pins = HERE / name
    digest = sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = Path(request.config.cache.mkdir("galileo")) / digest
    python = folder / "bin" / "python"
    with folder.with_suffix(".lock").open("w") as lock:
        # Test processes beside this one want it too: one makes it, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "made").exists():
            return python
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--retries", "1"]
        try:
            made = subprocess.run(
                [*pip, "install", "-q", "--no-deps", "-r", pins], capture_output=True, text=True, timeout=110
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"{name} could not be installed within 110 seconds")
        if made.returncode:
            pytest.skip(f"{name} cannot be installed here: {made.stderr.strip().splitlines()[-1]}")
        (folder / "made").touch()
    return python
