"""Many things done some at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def in_order(do: Callable[[A], Awaitable[B]], things: Iterable[A], at_once: int) -> AsyncGenerator[B]:
    """What is done with each thing, in their order, `at_once` in hand at a time.

    The first error ends it, once all before it has come; an error of the things themselves too.
    """
    if at_once < 1:
        raise ValueError(f"at_once is at least 1, not {at_once}")
    waiting: deque[asyncio.Future[B]] = deque()
    problems: list[Exception] = []
    try:
        for thing in _up_to_error(things, problems):
            waiting.append(asyncio.ensure_future(do(thing)))
            if len(waiting) >= at_once:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
        for problem in problems:
            raise problem
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _up_to_error(things: Iterable[A], problems: list[Exception]) -> Iterator[A]:
    try:
        yield from things
    except Exception as problem:  # noqa: BLE001 - kept, to be raised in its place
        problems.append(problem)
