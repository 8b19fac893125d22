"""The way from sync code into the async core, and the one place from where there is none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guard.client import Client
from guard.errors import WaitsForItself
from guard.loop import run
from guard.metrics import Metric, Score
from tests.fakes import guard_of, override, policy_of, rule


async def one() -> int:
    return 1


def test_a_result_is_waited_for_from_a_thread_with_and_without_a_loop_of_its_own() -> None:
    async def inside() -> int:
        return run(one())

    assert run(one()) == 1
    assert asyncio.run(inside()) == 1


def test_a_wait_on_the_loop_itself_is_an_error_that_says_what_to_do_and_the_loop_goes_on() -> None:
    async def waits() -> int:
        return run(one())

    with pytest.raises(WaitsForItself, match=r"await what does the same .*plain `def`"):
        run(waits())
    assert run(one()) == 1


def test_an_async_metric_that_calls_what_waits_is_a_failure_with_that_reason_and_no_dead_lock() -> None:
    client = Client("http://127.0.0.1:1", "gk-none", project="shop")

    async def asks(turn: Any, side: Any) -> Score:
        return Score(float(len(client.projects.list().items)))

    guard, _ = guard_of(policy_of(Metric("asks", asks), input=[override(rule("asks", "gt", 0))]))
    verdict = guard.check("hello")
    assert not verdict.allowed
    assert "runs on Guard's own event loop" in verdict.why
