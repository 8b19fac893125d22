"""What a turn costs with and without a model, the first and the hundredth: `python -m benchmarks.turns`."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from itertools import count, repeat
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import orjson
from rich.console import Console

from benchmarks.load import Cost, Loaded, interleaved, load, middle, ratio
from benchmarks.nginx import canned
from benchmarks.prompts import bodies, conversation, prompt
from benchmarks.row import Row, table
from benchmarks.servers import HERE, guard
from guard.metrics.encoder import encoder
from guard.metrics.encoder.model import INPUTS, OUTPUTS

#: Requests in a round. Rounds are short, so that what else the machine does weighs on all of one alike.
REQUESTS = int(os.environ.get("BENCH_TURNS", "60"))
ROUNDS = 9
TURNS = 100
FEW, MANY = 3, 100
FIRST, LAST, PLAIN_FIRST, PLAIN_LAST = "first", "last", "first, no model", "last, no model"
FORWARD, FEW_RULES, MANY_RULES = "forward", "few rules", "many rules"
#: Rules over the three metrics of the default policy's first stage that the local model gives; none triggers.
RULES = (
    {"metric": "prompt_injection", "operator": "gt", "target_value": 1.0},
    {"metric": "toxicity", "operator": "gt", "target_value": 1.0},
    {"metric": "pii", "operator": "contains", "target_value": "ssn"},
)
NUMBERS = count(9_000_000)


def forward() -> Cost:
    """What the bare graph takes for a prompt: no proxy, no tokenising, no rules."""
    model, feeds = encoder(), []
    for _ in range(REQUESTS):
        ids = np.array([[101, *model.tokenised(prompt(next(NUMBERS))).ids, 102]])
        feeds.append(dict(zip(INPUTS, (ids, np.zeros_like(ids), np.ones_like(ids)), strict=True)))
    took, before = [], time.process_time()
    for feed in feeds:
        started = time.perf_counter()
        model.graph.run(OUTPUTS, feed)
        took.append(time.perf_counter() - started)
    spent = time.process_time() - before
    return Cost(REQUESTS, spent / REQUESTS * 1000, median(took) * 1000, max(took) * 1000)


def rules(folder: str, number: int) -> str:
    """A policy of so many rules over the same metrics, each in a ruleset of its own."""
    written = [
        {"name": str(each), "rules": [RULES[each % len(RULES)]], "action": {"type": "override", "choices": ["No."]}}
        for each in range(number)
    ]
    policy = {"policy": f"rules-{number}", "stages": {"input": {"rulesets": written}}}
    file = Path(folder, f"{number}.yaml")
    file.write_bytes(orjson.dumps(policy))
    return str(file)


def costs(folder: str) -> list[dict[str, Cost]]:
    """What each costs, round by round."""
    with ExitStack() as stack:
        provider, _ = stack.enter_context(canned(folder))

        def started(name: str, policy: str) -> tuple[str, int]:
            return guard(stack, provider, policy, f"{folder}/{name}", f"sqlite:///{folder}/{name}.db")

        # Long enough for a first turn of a hundred messages, which no deadline of a policy that is in use would be.
        patient = Path(folder, "patient.yaml")
        patient.write_text("policy: patient\nextends: builtin/baseline\nstages: {input: {timeout: 60s}}\n")
        model = started("a", str(patient))
        patterns = started("b", str(HERE / "patterns.yaml"))
        few, many = (started(str(number), rules(folder, number)) for number in (FEW, MANY))
        measured = {
            FIRST: Loaded(*model, bodies(), REQUESTS),
            LAST: Loaded(*model, bodies(TURNS), REQUESTS),
            PLAIN_FIRST: Loaded(*patterns, bodies(), REQUESTS * 2),
            PLAIN_LAST: Loaded(*patterns, bodies(TURNS), REQUESTS * 2),
            FEW_RULES: Loaded(*few, bodies(), REQUESTS),
            MANY_RULES: Loaded(*many, bodies(), REQUESTS),
        }
        for url, pid in (model, patterns):
            # Whoever says the hundredth thing has said the ninety-ninth before.
            before = {"model": "canned", "messages": conversation(1 - TURNS, TURNS - 1)}
            asyncio.run(load(url, pid, requests=1, connections=1, bodies=repeat(before)))
        interleaved(measured, 1)
        return [{**interleaved(measured, 1)[0], FORWARD: forward()} for _ in range(ROUNDS)]


def rows() -> list[Row]:
    """The table's lines about turns and rules."""
    with TemporaryDirectory() as folder:
        found = costs(folder)

    def of(one: str, other: str) -> str:
        return f"{middle(found, one):.2f} ms of CPU against {middle(found, other):.2f}"

    apart = (
        f"{of(LAST, FIRST)}; without a model {middle(found, PLAIN_LAST):.2f} against {middle(found, PLAIN_FIRST):.2f}"
    )
    return [
        Row(
            "default policy, first turn, 128 tokens, against the model's bare graph",
            ratio(found, FIRST, FORWARD),
            1.3,
            detail=of(FIRST, FORWARD),
        ),
        Row(f"turn {TURNS} of a conversation, against its first", ratio(found, LAST, FIRST), 1.2, detail=apart),
        Row(
            f"{MANY} rules over the same {len(RULES)} metrics, against {FEW}",
            ratio(found, MANY_RULES, FEW_RULES),
            1.1,
            detail=of(MANY_RULES, FEW_RULES),
        ),
    ]


if __name__ == "__main__":
    Console().print(table(rows()))
