"""What the encoder's heads and metrics cost beside the encoder alone: `python -m benchmarks.encoder [FOLDER]`."""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from guard.metrics import Metric, Probe, Turn
from guard.metrics.encoder import Encoder, encoder
from guard.metrics.encoder.facts import FOLDER
from guard.metrics.encoder.model import INPUTS, OUTPUTS
from guard.metrics.encoder.number import number
from guard.metrics.encoder.tone import tone
from guard.metrics.measure import measure
from guard.metrics.onnx_model import Graph

SIZES = (16, 128, 256, 512)
TEXTS = 40
EMBEDDING = "embedding"
PROSE = """The committee will meet on Tuesday to talk about a new park near our river and what it may cost, while some
of them still hope for more money from the state. We should ask how many people want it before that."""
WORDS = re.findall(r"\w+|[.,]", PROSE)


def metrics(folder: Path) -> dict[str, Metric]:
    """The metrics that read a text alone."""
    names = [name for name, head in encoder(folder).facts.heads.items() if head.kind == "number"]
    return {**{name: number(name, "", folder) for name in names}, "tone": tone(folder)}


def texts(model: Encoder, tokens: int) -> Iterator[str]:
    """Different texts of so many tokens, special ones included: one that was read before would cost nothing."""
    chance = random.Random(tokens)
    while True:
        text = " ".join(chance.choices(WORDS, k=tokens - 2))
        assert len(model.tokenised(text)) == tokens - 2
        yield text


async def milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    """CPU time of all threads."""
    before = time.process_time()
    await work()
    return (time.process_time() - before) * 1000


def alone(folder: Path) -> Graph:
    """The graph without its heads: what the embedding does not need, the runtime leaves out when it loads it."""
    model = onnx.load(folder / "model.onnx")
    heads = [output for output in model.graph.output if output.name != EMBEDDING]
    for output in heads:
        model.graph.output.remove(output)
    with TemporaryDirectory() as place:
        onnx.save(model, file := Path(place, "model.onnx"))
        return Graph.load(file)


async def costs(folder: Path, size: int) -> tuple[float, ...]:
    """Milliseconds of CPU for a text of so many tokens: the encoder alone, with all heads, one metric, all metrics."""
    model, measured = encoder(folder), metrics(folder)
    graphs = {(EMBEDDING,): alone(folder), OUTPUTS: model.graph}
    written = texts(model, size)
    probes = [Probe(name, "input") for name in measured]

    async def bare(outputs: tuple[str, ...]) -> float:
        ids = np.array([[101, *model.tokenised(next(written)).ids, 102]])
        feed = dict(zip(INPUTS, (ids, np.zeros_like(ids), np.ones_like(ids)), strict=True))
        return await milliseconds(lambda: asyncio.to_thread(graphs[outputs].run, outputs, feed))

    async def guarded(wanted: list[Probe]) -> float:
        turn = Turn.of(next(written))
        return await milliseconds(lambda: measure(wanted, turn, measured))

    found = [
        (*[await bare(outputs) for outputs in graphs], await guarded(probes[:1]), await guarded(probes))
        for _ in range(TEXTS)
    ]
    return tuple(median(column) for column in zip(*found, strict=True))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    count = len(metrics(folder))
    table = Table(
        "tokens", "encoder alone", "all heads", "times alone", "one metric", f"{count} metrics", "each metric more",
        title="ms of CPU",
    )  # fmt: skip
    for size in SIZES:
        bare, heads, one, every = asyncio.run(costs(folder, size))
        more = (every - one) / (count - 1) / bare
        table.add_row(
            str(size), f"{bare:.2f}", f"{heads:.2f}", f"{heads / bare:.3f}", f"{one:.2f}", f"{every:.2f}", f"{more:.1%}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
