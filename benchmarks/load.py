"""Load on a server, and what the server spent on it: CPU seconds of its processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeAlias

import aiohttp

PROMPT = (
    "I ordered a pair of running shoes two weeks ago and they still have not arrived. The order is ORD-20260117, and "
    "the tracking page has said 'in transit' since Monday. Could you find out where the parcel is, and tell me when I "
    "can expect it? I need them for a race on Saturday: if they will be late I would rather pick up another pair."
)
BODY = {
    "model": "canned",
    "messages": [{"role": "system", "content": "Be helpful."}, {"role": "user", "content": PROMPT}],
}
Bodies: TypeAlias = Iterable[Mapping[str, Any]]
ALIKE: Bodies = repeat(BODY)
#: The kind of clock, in the number that Linux gives each process's (clock_getcpuclockid(3)).
CPU_OF_PROCESS = 2


class Loaded(NamedTuple):
    """What is measured: the server at a URL, its process, what it is sent, and how many of them in a round."""

    url: str
    pid: int
    bodies: Bodies = ALIKE
    requests: int = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """What `requests` requests cost: milliseconds of the server's CPU a request, and the latency's middle and 99%."""

    requests: int
    cpu_ms: float
    p50_ms: float
    p99_ms: float


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process and its children so far. By its clock: /proc tells it in steps of 10 ms only."""
    own = time.clock_gettime(~pid << 3 | CPU_OF_PROCESS)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_seconds(int(child)) for child in children)


async def load(url: str, pid: int, *, requests: int, connections: int = 16, bodies: Bodies = ALIKE) -> Cost:
    """Send the requests over that many connections and take the server's CPU time before and after."""
    connector = aiohttp.TCPConnector(limit=connections)
    left = islice(bodies, requests)
    took: list[float] = []
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for body in left:
                started = time.perf_counter()
                async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                    assert answer.status == 200, await answer.text()
                    await answer.read()
                took.append(time.perf_counter() - started)

        before = cpu_seconds(pid)
        await asyncio.gather(*(work() for _ in range(connections)))
        spent = cpu_seconds(pid) - before
    took.sort()
    return Cost(requests, spent / requests * 1000, took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000)


def interleaved(measured: Mapping[str, Loaded], rounds: int) -> list[dict[str, Cost]]:
    """What each cost, round by round: in a round all are loaded one after the other, for some seconds together.

    So what else the machine does weighs on all alike.
    """
    return [
        {
            name: asyncio.run(load(one.url, one.pid, requests=one.requests, bodies=one.bodies))
            for name, one in measured.items()
        }
        for _ in range(rounds)
    ]


def middle(rounds: Iterable[Mapping[str, Cost]], name: str) -> float:
    """Milliseconds of CPU a request, the median of the rounds."""
    return median(costs[name].cpu_ms for costs in rounds)


def ratio(rounds: Iterable[Mapping[str, Cost]], one: str, other: str) -> float:
    """How many times the CPU of another, the median of the rounds."""
    return median(costs[one].cpu_ms / costs[other].cpu_ms for costs in rounds)
