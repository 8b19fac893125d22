"""What holding a streamed answer back costs those who wait for it: `python -m benchmarks.streams`.

The provider says 500 tokens at a steady pace, so these are seconds on the clock; the median of several streams counts.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from itertools import count
from statistics import median
from tempfile import TemporaryDirectory

import aiohttp
import orjson
from rich.console import Console

from benchmarks.prompts import body
from benchmarks.row import Row, table
from benchmarks.servers import HERE, free_port, guard, process
from benchmarks.upstream import PACE, PIECES
from guard.settings import Settings

ROUNDS = 5
NUMBERS = count(7_000_000)


async def streamed(url: str) -> tuple[float, float]:
    """Seconds to the first text and to the end of one streamed answer."""
    asked = {**body(next(NUMBERS), sentences=3), "stream": True}
    first, said = 0.0, ""
    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        async with session.post(f"{url}/v1/chat/completions", json=asked) as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    choices = orjson.loads(line[6:])["choices"]
                    text = choices[0]["delta"].get("content") if choices else None
                    if text and not said:
                        first = time.perf_counter() - began
                    said += text or ""
        ended = time.perf_counter() - began
    assert said == "".join(PIECES), f"the answer came otherwise than it was said: {len(said)} characters"
    return first, ended


def measured(folder: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds to the first text and to the end: through Guard without stages, and with the default policy."""
    with ExitStack() as stack:
        port = free_port()
        upstream, _ = stack.enter_context(process("-m", "benchmarks.upstream", str(port), port=port, path="/"))
        servers = [
            guard(stack, upstream, str(HERE / "empty.yaml"), f"{folder}/a", "none"),
            guard(stack, upstream, "builtin/baseline", f"{folder}/b", f"sqlite:///{folder}/b.db"),
        ]
        for url, _ in servers:
            asyncio.run(streamed(url))
        took = [[asyncio.run(streamed(url)) for url, _ in servers] for _ in range(ROUNDS)]
    passed, held = zip(*took, strict=True)
    return _middle(passed), _middle(held)


def _middle(took: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    firsts, ends = zip(*took, strict=True)
    return median(firsts), median(ends)


def rows() -> list[Row]:
    """The table's lines about streams."""
    with TemporaryDirectory() as folder:
        (first, end), (held_first, held_end) = measured(folder)
    window = Settings().window
    fill = window / (len("".join(PIECES)) / len(PIECES)) * PACE
    return [
        Row(
            "streaming 500 tokens, default policy: added time to the first one",
            (held_first - first) / fill,
            1,
            "fills",
            f"{held_first:.3f} s against {first:.3f}; a window of {window} characters fills in {fill:.2f} s",
        ),
        Row(
            "streaming 500 tokens, default policy: added time in all",
            (held_end / end - 1) * 100,
            5,
            "%",
            f"{held_end:.3f} s against {end:.3f}",
        ),
    ]


if __name__ == "__main__":
    Console().print(table(rows()))
