"""`make bench`: every figure in one run."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from benchmarks.load import Cost, load
from benchmarks.prompts import bodies
from benchmarks.servers import HERE, free_port, guard, process
from benchmarks.split import decision, importing, split
from benchmarks.turns import compare

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "4000"))
ROUNDS = 3


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
        }
        best: dict[str, Cost] = {}
        for url, pid in servers.values():
            asyncio.run(load(url, pid, requests=200, bodies=bodies()))
        for _ in range(ROUNDS):
            for name, (url, pid) in servers.items():
                cost = asyncio.run(load(url, pid, requests=REQUESTS, bodies=bodies()))
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
    compare(console)


if __name__ == "__main__":
    main()
