"""`make bench`: every figure in one run."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.load import Cost, load
from benchmarks.split import decision, importing, split

HERE = Path(__file__).parent
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "4000"))
ROUNDS = 3


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


def hops(folder: str) -> dict[str, Cost]:
    """The cost of a request by what stands before the upstream, the rounds of all interleaved; the least counts."""
    with ExitStack() as stack:
        port = free_port()
        canned, _ = stack.enter_context(process("-m", "benchmarks.upstream", str(port), port=port, path="/"))
        port = free_port()
        bare = [
            "-m",
            "uvicorn",
            "benchmarks.bare:app",
            "--port",
            str(port),
            "--log-level",
            "warning",
            "--no-access-log",
        ]
        servers = {
            "bare Starlette + aiohttp": stack.enter_context(
                process(*bare, port=port, path="/", BENCH_UPSTREAM=f"{canned}/v1")
            ),
            "Guard, no rules, no events": guard(stack, canned, str(HERE / "empty.yaml"), f"{folder}/a", "none"),
            "Guard, 3 rules, no events": guard(stack, canned, str(HERE / "policy.yaml"), f"{folder}/b", "none"),
            "Guard, 3 rules, events": guard(
                stack, canned, str(HERE / "policy.yaml"), f"{folder}/c", f"sqlite:///{folder}/bench.db"
            ),
            "Guard, baseline policy, events": guard(
                stack, canned, "builtin/baseline", f"{folder}/d", f"sqlite:///{folder}/baseline.db"
            ),
        }
        best: dict[str, Cost] = {}
        for url, pid in servers.values():
            asyncio.run(load(url, pid, requests=200))
        for _ in range(ROUNDS):
            for name, (url, pid) in servers.items():
                cost = asyncio.run(load(url, pid, requests=REQUESTS))
                if name not in best or cost.cpu_ms < best[name].cpu_ms:
                    best[name] = cost
        return best


def main() -> None:
    import tempfile

    console = Console(width=110)
    with console.status("one check, step by step …"):
        steps = {"3 rules": split(), "builtin/baseline": split("builtin/baseline", 200)}
    table = Table("input stage, 80 tokens: µs of CPU", *steps, title="Where the time goes")
    for step in next(iter(steps.values())):
        table.add_row(step, *(f"{found[step]:.0f}" for found in steps.values()))
    console.print(table)
    console.print(f"a decision over 100 rulesets of 3 rules: {decision() / 1000:.2f} ms of CPU")
    console.print(f"import guard: {importing():.2f} s of CPU")
    with console.status("whole requests, 16 connections …"), tempfile.TemporaryDirectory() as folder:
        costs = hops(folder)
    bare = next(iter(costs.values()))
    table = Table(
        "server", "CPU ms a request", "times bare", "beyond bare", "p50 ms", "p99 ms", title=f"{REQUESTS} requests"
    )
    for name, cost in costs.items():
        ratio, more = cost.cpu_ms / bare.cpu_ms, cost.cpu_ms - bare.cpu_ms
        table.add_row(
            name, f"{cost.cpu_ms:.2f}", f"{ratio:.1f}", f"{more:.2f}", f"{cost.p50_ms:.1f}", f"{cost.p99_ms:.1f}"
        )
    console.print(table)


if __name__ == "__main__":
    main()
