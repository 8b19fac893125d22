"""Many things done some at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def in_order(do: Callable[[A], Awaitable[B]], things: Iterable[A], at_once: int) -> list[B]:
    """What is done with each thing, in their order, `at_once` in hand at a time. The first error ends all of it."""
    if at_once < 1:
        raise ValueError(f"at_once is at least 1, not {at_once}")
    done: list[B] = []
    waiting: deque[asyncio.Future[B]] = deque()
    try:
        for thing in things:
            waiting.append(asyncio.ensure_future(do(thing)))
            if len(waiting) >= at_once:
                done.append(await waiting.popleft())
        while waiting:
            done.append(await waiting.popleft())
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return done
