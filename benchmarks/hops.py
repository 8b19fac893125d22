"""What a whole request costs by what stands before the provider: `python -m benchmarks.hops`.

All of them stand there at once and are loaded in turn, so that what else the machine does weighs on each alike.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, repeat
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.litellm import NotThere, litellm
from benchmarks.load import BODY, Bodies, Cost, load
from benchmarks.nginx import canned
from benchmarks.prompts import body
from benchmarks.row import Row, table
from benchmarks.servers import HERE, free_port, guard, process

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "3000"))
#: Of LiteLLM's, which takes twenty times as long over each.
FEWER = 10
ROUNDS = 5
BARE, EMPTY, PATTERNS, EVENTS, LITELLM = "bare", "no rules", "patterns", "patterns, events", "LiteLLM"
COMMAND = ("-m", "uvicorn", "benchmarks.bare:app", "--log-level", "warning", "--no-access-log", "--port")


def servers(stack: ExitStack, upstream: str, folder: str) -> dict[str, tuple[str, int]]:
    """Each server's base URL and pid; without LiteLLM's."""
    port = free_port()
    empty, patterns = str(HERE / "empty.yaml"), str(HERE / "patterns.yaml")
    bare = process(*COMMAND, str(port), port=port, path="/", BENCH_UPSTREAM=f"{upstream}/v1")
    return {
        BARE: stack.enter_context(bare),
        EMPTY: guard(stack, upstream, empty, f"{folder}/a", "none"),
        PATTERNS: guard(stack, upstream, patterns, f"{folder}/b", "none"),
        EVENTS: guard(stack, upstream, patterns, f"{folder}/c", f"sqlite:///{folder}/c.db"),
    }


def costs(folder: str) -> tuple[dict[str, Cost], str]:
    """What a request cost with each, the least of the rounds; and what stood there as the provider, or did not."""
    with ExitStack() as stack:
        upstream, notes = stack.enter_context(canned(folder))
        loaded = servers(stack, upstream, folder)
        try:
            loaded[LITELLM] = stack.enter_context(litellm(upstream, folder))
        except NotThere as error:
            notes = f"{notes}; {error}"
        prompts = short()
        best: dict[str, Cost] = {}
        for measured in range(ROUNDS + 1):
            for name, (url, pid) in loaded.items():
                requests = REQUESTS // (FEWER if name == LITELLM else 1)
                sent: Bodies = prompts if name in (PATTERNS, EVENTS) else repeat(BODY)
                cost = asyncio.run(load(url, pid, requests=requests if measured else requests // 10, bodies=sent))
                # The first round is for what only happens once.
                if measured and (name not in best or cost.cpu_ms < best[name].cpu_ms):
                    best[name] = cost
        return best, notes


def short() -> Iterator[dict[str, object]]:
    """Requests with prompts of about 60 tokens, all different."""
    return (body(number, sentences=3) for number in count())


def rows() -> list[Row]:
    """The table's lines about whole requests."""
    with TemporaryDirectory() as folder:
        found, notes = costs(folder)
    bare, empty, patterns, events = (found[name].cpu_ms for name in (BARE, EMPTY, PATTERNS, EVENTS))
    lite = found[LITELLM].cpu_ms if LITELLM in found else None
    made_of = f"{empty:.3f} ms of CPU against {bare:.3f}; provider: {notes}"
    theirs = notes if lite is None else f"{lite:.2f} ms against {empty:.3f}"
    beyond = f"{patterns:.3f} ms against {empty:.3f}; with events in SQLite {events - empty:.2f} more"
    return [
        Row("chat completion without rules, against a bare pass-through", empty / bare, 3, detail=made_of),
        Row("the same through LiteLLM's proxy", lite / empty if lite else None, 12, detail=theirs, least=True),
        Row("default policy without its model, 60 tokens", patterns - empty, 1.0, "ms more", beyond),
    ]


if __name__ == "__main__":
    Console().print(table(rows()))
