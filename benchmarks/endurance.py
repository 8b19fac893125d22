"""A worker with the local model under full load: how late its event loop is, and what memory it takes.

`python -m benchmarks.endurance` sends REQUESTS requests, with `--full` 200,000 of them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from benchmarks.load import load
from benchmarks.nginx import canned
from benchmarks.prompts import body
from benchmarks.row import Row, table
from benchmarks.servers import free_port, process

REQUESTS, FULL = 12_000, 200_000
#: Requests of 128 tokens, under which the loop is watched.
WATCHED = 600
PARTS = 20
COMMAND = ("-m", "uvicorn", "--factory", "benchmarks.worker:app", "--log-level", "warning", "--no-access-log", "--port")


def memory(pid: int) -> float:
    """Megabytes that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def lags(url: str) -> tuple[float, float]:
    """The 99th percentile of the loop's lags since the last call: as they were, and without waits for a core."""
    with urllib.request.urlopen(f"{url}/bench/lags", timeout=30) as answer:
        noted = json.load(answer)
    every, own = (sorted(column) for column in zip(*noted, strict=True))
    return every[int(len(every) * 0.99)], own[int(len(own) * 0.99)]


def slope(sizes: list[float], each: int) -> float:
    """Megabytes more a 10,000 requests, by least squares over sizes that were taken every `each` requests."""
    middle, mean = (len(sizes) - 1) / 2, sum(sizes) / len(sizes)
    spread = sum((place - middle) ** 2 for place in range(len(sizes)))
    return sum((place - middle) * (size - mean) for place, size in enumerate(sizes)) / spread / each * 10_000


def measured(folder: str, requests: int) -> tuple[tuple[float, float], list[float]]:
    """The loop's lags under full load; the worker's size at the start and after each of PARTS parts of the requests."""
    long, short = (body(number, sentences=7) for number in count(1)), (body(number, sentences=1) for number in count(1))
    with ExitStack() as stack:
        upstream, _ = stack.enter_context(canned(folder))
        port = free_port()
        settings: dict[str, Any] = {
            "GUARD_POLICY": "builtin/baseline",
            "GUARD_UPSTREAM": f"{upstream}/v1",
            "GUARD_STORE": f"sqlite:///{folder}/events.db",
            "GUARD_SPOOL": f"{folder}/spool",
            "GUARD_LOG_LEVEL": "warning",
        }
        started = process(*COMMAND, str(port), port=port, path="/healthz", **settings)
        url, pid = stack.enter_context(started)
        asyncio.run(load(url, pid, requests=50, bodies=long))
        lags(url)
        asyncio.run(load(url, pid, requests=WATCHED, bodies=long))
        late, sizes = lags(url), [memory(pid)]
        for _ in range(PARTS):
            asyncio.run(load(url, pid, requests=requests // PARTS, bodies=short))
            sizes.append(memory(pid))
        return late, sizes


def rows(*, full: bool = False) -> list[Row]:
    """The table's lines about a worker under load."""
    requests = FULL if full else REQUESTS
    with TemporaryDirectory() as folder:
        (late, own), sizes = measured(folder, requests)
    settled = sizes[len(sizes) // 2 :]
    grows = slope(settled, requests // PARTS)
    detail = f"{sizes[0]:.0f} MB at first; over the later half of {requests:,} requests {grows:+.1f} MB a 10,000"
    return [
        Row(
            "event loop's lag, p99, default policy, 16 connections",
            own,
            20,
            "ms",
            f"{late:.1f} ms with the waits for a core that others had",
        ),
        Row("memory of a worker with the local model", max(sizes), 350, "MB", detail),
        Row(
            f"its growth over the later half of {requests:,} requests",
            (sum(settled[-3:]) / 3 - sum(settled[:3]) / 3) / settled[0] * 100,
            3,
            "%",
            "" if full else "200,000 requests with --full",
        ),
    ]


if __name__ == "__main__":
    Console().print(table(rows(full="--full" in sys.argv)))
