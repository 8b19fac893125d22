"""What a turn costs with and without a model, the first and the hundredth: `python -m benchmarks.turns`."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson
from rich.console import Console

from benchmarks.load import load
from benchmarks.prompts import bodies, prompt
from benchmarks.row import Row, table
from benchmarks.servers import HERE, free_port, guard, process
from guard.metrics.encoder import encoder
from guard.metrics.encoder.model import INPUTS, OUTPUTS

REQUESTS = int(os.environ.get("BENCH_TURNS", "200"))
ROUNDS = 3
TURNS = 100
RULES = 100


def forward() -> float:
    """Milliseconds of CPU that the bare graph takes for one of the prompts, the least of some rounds' means."""
    model = encoder()
    rounds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for number in range(REQUESTS):
            ids = np.array([[101, *model.tokenised(prompt(number)).ids, 102]])
            feed = dict(zip(INPUTS, (ids, np.zeros_like(ids), np.ones_like(ids)), strict=True))
            model.graph.run(OUTPUTS, feed)
        rounds.append((time.process_time() - before) / REQUESTS * 1000)
    return min(rounds)


def many_rules(folder: str) -> str:
    """The bench's policy with RULES rules over the same metrics, none of which triggers."""
    rules = [
        {"metric": "word_count", "operator": "gt", "target_value": 4000},
        {"metric": "order_number", "operator": "contains", "target_value": "order"},
    ]
    written = [
        {"name": str(number), "rules": [rules[number % 2]], "action": {"type": "override", "choices": ["No."]}}
        for number in range(RULES)
    ]
    policy = {
        "policy": "many",
        "metrics": {"order_number": {"kind": "regex", "patterns": {"order": "ORD-[0-9]{8}"}}},
        "stages": {"input": {"rulesets": written}},
    }
    few = {**policy, "policy": "few", "stages": {"input": {"rulesets": written[:3]}}}
    for name, content in (("many", policy), ("few", few)):
        Path(folder, f"{name}.yaml").write_bytes(orjson.dumps(content))
    return folder


def costs(folder: str) -> dict[str, float]:
    """Milliseconds of CPU a request, the rounds of all interleaved; the least counts."""
    with ExitStack() as stack:
        port = free_port()
        canned, _ = stack.enter_context(process("-m", "benchmarks.upstream", str(port), port=port, path="/"))
        many_rules(folder)
        # Long enough for a first turn of a hundred messages, which no deadline of a policy that is in use would be.
        patient = Path(folder, "patient.yaml")
        patient.write_text("policy: patient\nextends: builtin/baseline\nstages: {input: {timeout: 60s}}\n")
        model = guard(stack, canned, str(patient), f"{folder}/a", f"sqlite:///{folder}/a.db")
        patterns = guard(stack, canned, str(HERE / "policy.yaml"), f"{folder}/b", f"sqlite:///{folder}/b.db")
        few = guard(stack, canned, f"{folder}/few.yaml", f"{folder}/c", f"sqlite:///{folder}/c.db")
        many = guard(stack, canned, f"{folder}/many.yaml", f"{folder}/d", f"sqlite:///{folder}/d.db")
        measured = {
            "baseline policy, first turn": (model, bodies()),
            f"baseline policy, turn {TURNS}": (model, bodies(TURNS)),
            "patterns, first turn": (patterns, bodies()),
            f"patterns, turn {TURNS}": (patterns, bodies(TURNS)),
            "3 rules": (few, bodies()),
            f"{RULES} rules": (many, bodies()),
        }
        for (url, pid), sent in measured.values():
            asyncio.run(load(url, pid, requests=2, connections=1, bodies=sent))
        best: dict[str, float] = {}
        for _ in range(ROUNDS):
            for name, ((url, pid), sent) in measured.items():
                cost = asyncio.run(load(url, pid, requests=REQUESTS, bodies=sent))
                best[name] = min(cost.cpu_ms, best.get(name, cost.cpu_ms))
        return best


def rows() -> list[Row]:
    """The table's lines about turns and rules."""
    with TemporaryDirectory() as folder:
        bare, found = forward(), costs(folder)
    first, last, patterns, later, few, many = found.values()
    apart = f"{last:.2f} ms against {first:.2f}; without a model {later:.2f} against {patterns:.2f}"
    return [
        Row(
            "default policy, first turn, 128 tokens, against the bare graph", first / bare, 1.3, detail=of(first, bare)
        ),
        Row(f"turn {TURNS} of a conversation, against its first", last / first, 1.2, detail=apart),
        Row(f"{RULES} rules over the same metrics, against 3", many / few, 1.1, detail=of(many, few)),
    ]


def of(one: float, other: float) -> str:
    """What a ratio was made of."""
    return f"{one:.2f} ms of CPU against {other:.2f}"


if __name__ == "__main__":
    Console().print(table(rows()))
