"""The threads that `def` metrics share in a process, and the line before them.

A pool of our own: with those of anyio a metric that hangs frees its place, and the next one starts a thread more; those
of concurrent.futures keep the process from ending while a metric hangs.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import cache, partial
from typing import Any, TypeVar

T = TypeVar("T")

#: One that hangs keeps its thread. Once all do nothing begins any more, and nobody takes that for "safe".
THREADS = 16


class Crowded(Exception):
    """Nothing was begun, for want of a free thread."""


class Late(Exception):
    """What was begun is not done in time. Not a TimeoutError, which foreign code may raise for reasons of its own."""


async def within(seconds: float | None, work: Awaitable[T]) -> T:
    """What the work gives. Raises Late where that takes longer."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise Late from None
        raise


class Threads:
    """At most `most` threads, made as they are needed, and a line of what waits for one, first come first served."""

    def __init__(self, most: int = THREADS) -> None:
        self._most = most
        self._made = 0
        self._idle = 0
        self._line: OrderedDict[Future[Any], Callable[[], Any]] = OrderedDict()
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How much waits for a thread."""
        return max(0, len(self._line) - self._idle)

    async def run(self, function: Callable[[], T], seconds: float | None = None, line: int | None = None) -> T:
        """What the function gives, called in a thread, with the context variables of here.

        Raises Crowded where it was not begun within `seconds`, or at once where `line` others wait already, and Late
        where it was begun and is late: its thread is free again once it returns.
        """
        job = self._join(partial(copy_context().run, function), line)
        try:
            return await within(seconds, asyncio.wrap_future(job))
        except Late:
            if self._leave(job):
                raise Crowded("no thread was free for it in time") from None
            raise
        finally:
            self._leave(job)

    def _join(self, function: Callable[[], T], line: int | None) -> Future[T]:
        job: Future[T] = Future()
        with self._changed:
            if line is not None and self.waiting >= line and self._made - self._idle >= self._most:
                raise Crowded(f"{self.waiting} others wait for a thread already")
            self._line[job] = function
            if self.waiting and self._made < self._most:
                self._made += 1
                # A daemon: a metric that hangs must not keep the app's process from ending.
                threading.Thread(target=self._serve, name="guard-metric", daemon=True).start()
            self._changed.notify()
        return job

    def _leave(self, job: Future[Any]) -> bool:
        """Whether it was still waiting. It is not any more."""
        with self._changed:
            return self._line.pop(job, None) is not None

    def _serve(self) -> None:
        with self._changed:
            self._idle += 1
        while True:
            with self._changed:
                while not self._line:
                    self._changed.wait()
                self._idle -= 1
                job, function = self._line.popitem(last=False)
            tell: Callable[[], None] = _nothing
            if job.set_running_or_notify_cancel():
                try:
                    tell = partial(job.set_result, function())
                except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
                    tell = partial(job.set_exception, error)
            with self._changed:
                # Before it is told: who hears of it and asks again finds this thread free.
                self._idle += 1
            tell()
            del job, function, tell


def _nothing() -> None:
    """Nobody waits any more."""


@cache
def threads() -> Threads:
    """Those of this process."""
    return Threads()


if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads.
    os.register_at_fork(after_in_child=threads.cache_clear)
