"""What a whole request costs by what stands before the provider: `python -m benchmarks.hops`.

All of them stand there at once and are loaded in turn, so that what else the machine does weighs on each alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.litellm import NotThere, litellm
from benchmarks.load import ALIKE, Cost, Loaded, interleaved, middle, ratio
from benchmarks.nginx import canned
from benchmarks.prompts import body
from benchmarks.row import Row, table
from benchmarks.servers import HERE, free_port, guard, process

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "600"))
#: Of LiteLLM's, which takes twenty times as long over each.
FEWER = 10
ROUNDS = 9
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


def costs(folder: str) -> tuple[list[dict[str, Cost]], str]:
    """What a request cost with each, round by round; and what stood there as the provider, or did not."""
    with ExitStack() as stack:
        upstream, notes = stack.enter_context(canned(folder))
        started = servers(stack, upstream, folder)
        try:
            started[LITELLM] = stack.enter_context(litellm(upstream, folder))
        except NotThere as error:
            notes = f"{notes}; {error}"
        prompts = short()
        measured = {
            name: Loaded(
                *server,
                prompts if name in (PATTERNS, EVENTS) else ALIKE,
                REQUESTS // (FEWER if name == LITELLM else 1),
            )
            for name, server in started.items()
        }
        # The first round is for what only happens once.
        return interleaved(measured, ROUNDS + 1)[1:], notes


def short() -> Iterator[dict[str, object]]:
    """Requests with prompts of about 60 tokens, all different."""
    return (body(number, sentences=3) for number in count())


def rows() -> list[Row]:
    """The table's lines about whole requests."""
    with TemporaryDirectory() as folder:
        found, notes = costs(folder)

    def of(one: str, other: str) -> str:
        return f"{middle(found, one):.3f} ms of CPU against {middle(found, other):.3f}"

    theirs = LITELLM in found[0]
    more, stored = (median(costs[name].cpu_ms - costs[EMPTY].cpu_ms for costs in found) for name in (PATTERNS, EVENTS))
    return [
        Row(
            "chat completion without rules, against a bare pass-through",
            ratio(found, EMPTY, BARE),
            3,
            detail=f"{of(EMPTY, BARE)}; provider: {notes}",
        ),
        Row(
            "the same through LiteLLM's proxy",
            ratio(found, LITELLM, EMPTY) if theirs else None,
            12,
            detail=of(LITELLM, EMPTY) if theirs else notes,
            least=True,
        ),
        Row(
            "default policy without its model, 60 tokens",
            more,
            1.0,
            "ms more",
            f"{of(PATTERNS, EMPTY)}, bare {middle(found, BARE):.3f}; with events in SQLite {stored:.2f} more",
        ),
    ]


if __name__ == "__main__":
    Console().print(table(rows()))
