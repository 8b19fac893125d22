"""Where a request's time goes inside Guard: parse, measure, decide, act, record; each alone, in process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import orjson

from benchmarks.load import BODY
from guard.guard import Guard
from guard.metrics import Probe, Score
from guard.metrics.measure import measure
from guard.policies import load_policy
from guard.proxy.headers import guard_headers
from guard.proxy.wire.chat import Chat
from guard.stages import Stage, decide, needed
from guard.stages.redact import Placeholders, redacted
from guard.store import Masker
from guard.store.event import Event, new_id

ROUNDS = 5
POLICY = Path(__file__).with_name("policy.yaml")
RAW = orjson.dumps(BODY)


def microseconds(work: Callable[[], object], times: int) -> float:
    """CPU time of one call, the least of five rounds."""
    rounds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - before) / times)
    return min(rounds) * 1e6


def split(policy_file: str | Path = POLICY, times: int = 1000) -> dict[str, float]:
    """Microseconds of CPU a request for each step, of the input stage with a prompt of about 80 tokens."""
    policy = load_policy(policy_file)
    guard = Guard(policy, random=Random(1))
    stage = policy.stage("input")
    chat = Chat()
    turn = chat.read_request(BODY, {"app": "bench"})
    loop = asyncio.new_event_loop()

    async def measured():
        return await measure(stage.probes, turn, policy.metrics, timeout=stage.timeout, needed=partial(needed, stage))

    async def checked():
        exchange = guard.exchange(app="bench", model="canned")
        await exchange.check(turn, "input")
        return guard_headers(exchange)

    scores = loop.run_until_complete(measured())
    decision = decide(stage, scores)
    idle = microseconds(lambda: loop.run_until_complete(asyncio.sleep(0)), times)

    def parse() -> None:
        body = orjson.loads(RAW)
        chat.validate(body, 10_000)
        chat.read_request(body, {})

    def event() -> None:
        Event.of(decision, turn, policy="p", revision="r", request=new_id(), millis=1.0, masker=Masker()).to_json()

    return {
        "parse": microseconds(parse, times),
        "measure": microseconds(lambda: loop.run_until_complete(measured()), times) - idle,
        "decide": microseconds(lambda: decide(stage, scores), times),
        "act": microseconds(lambda: redacted(decision, turn.passages("input"), Placeholders()), times),
        "whole check": microseconds(lambda: loop.run_until_complete(checked()), times) - idle,
        "record (off the hot path)": microseconds(event, times),
    }


def decision(rulesets: int = 100) -> float:
    """Microseconds of CPU for one decision over so many rulesets of three rules, none of which triggers."""
    rules = [
        {"metric": "a", "operator": "gte", "target_value": 0.5},
        {"metric": "b", "operator": "gt", "target_value": 0.9},
        {"metric": "c", "operator": "any", "target_value": ["ssn"]},
    ]
    written = [{"name": f"ruleset {number}", "rules": rules} for number in range(rulesets)]
    stage = Stage.model_validate({"name": "input", "kind": "input", "rulesets": written})
    scores = {
        Probe("a", "input"): Score(0.9),
        Probe("b", "input"): Score(0.95),
        Probe("c", "input"): Score(("email",), ("email",)),
    }
    return microseconds(lambda: decide(stage, scores), 200)


def importing() -> float:
    """Seconds of CPU that `import guard` takes in a fresh interpreter, beyond the interpreter's own start."""

    def spent(code: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return min(spent("import guard") for _ in range(ROUNDS)) - min(spent("pass") for _ in range(ROUNDS))
