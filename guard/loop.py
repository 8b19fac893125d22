"""The way from sync code into the async core: one event loop of our own, on a thread of its own.

Not `asyncio.run`: it fails inside servers and notebooks that run a loop, and a new loop a call loses every connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from guard.errors import WaitsForItself

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, waited for by a thread that cannot await. Cancelled if the wait is interrupted.

    Raises WaitsForItself on the loop's own thread, where the wait would have no end.
    """
    loop = _loop()
    running = None
    with suppress(RuntimeError):
        running = asyncio.get_running_loop()
    if running is loop:
        work.close()  # it was never begun
        raise WaitsForItself(
            "this call waits, and was made in a coroutine that runs on Guard's own event loop (an async metric or "
            "handler under a call that waits too): await what does the same (AsyncClient, an async handler, "
            "Guard.acheck), or make the metric a plain `def`, which runs in a thread"
        )
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    # A daemon: a metric that hangs must not keep the app's process from ending.
    threading.Thread(target=loop.run_forever, name="guard-loop", daemon=True).start()
    return loop
