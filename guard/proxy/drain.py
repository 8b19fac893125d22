"""How a worker ends: it says that it is about to, then stops listening, then what is under way comes to its end.

Told by SIGTERM it goes on serving for a while as not ready, since whoever sends it requests needs time to notice. Where
its parent process is gone it stops listening at once: another may want the port.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import FrameType

log = logging.getLogger(__name__)

Stop = Callable[[int, FrameType | None], object]


@dataclass(slots=True)
class Drain:
    """Whether this worker is about to end."""

    begun: bool = False


@asynccontextmanager
async def draining(drain: Drain, delay: float) -> AsyncIterator[None]:
    """While entered, SIGTERM begins the drain, and `delay` seconds later stops the server as it would have by itself.

    Does nothing outside of a server that handles SIGTERM in the main thread.
    """
    stop = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(stop):
        yield
        return
    loop = asyncio.get_running_loop()

    def told(number: int, frame: FrameType | None) -> None:
        # A second one, as of a supervisor and its parent, changes nothing; SIGINT is there for who cannot wait.
        if not drain.begun:
            drain.begun = True
            loop.call_soon_threadsafe(loop.call_later, delay, stop, number, frame)

    signal.signal(signal.SIGTERM, told)
    _watch_parent(loop, drain, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, stop)


def _watch_parent(loop: asyncio.AbstractEventLoop, drain: Drain, stop: Stop) -> None:
    """Stop this worker when the process that started it is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        if not loop.is_closed():
            log.warning("the parent process is gone, so this worker ends")
            drain.begun = True
            loop.call_soon_threadsafe(stop, signal.SIGTERM, None)

    threading.Thread(target=watch, name="guard-parent", daemon=True).start()
