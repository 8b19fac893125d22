"""Guard's app with a timer on its event loop: `uvicorn --factory benchmarks.worker:app`.

`GET /bench/lags` gives how late the timer was each time since it was last asked, in milliseconds: as it was, and
without what the worker's thread spent ready to run and without a core, which tells of the machine's other work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from guard.proxy.app import serving_app

EVERY = 0.005
#: Of this thread: nanoseconds on a core, nanoseconds ready but without one, turns.
SCHEDULED = Path("/proc/thread-self/schedstat")

lags: list[tuple[float, float]] = []


async def watch() -> None:
    """Note how late a timer is, for ever."""
    while True:
        due, waited = time.perf_counter() + EVERY, without_a_core()
        await asyncio.sleep(EVERY)
        late = time.perf_counter() - due
        lags.append((late * 1000, max(0.0, late - (without_a_core() - waited)) * 1000))


def without_a_core() -> float:
    """Seconds that this thread was ready to run and did not; 0 where the system does not say."""
    try:
        return int(SCHEDULED.read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


async def told(_: Request) -> JSONResponse:
    """The lags since it was last asked."""
    noted = lags.copy()
    lags.clear()
    return JSONResponse(noted)


def app() -> Starlette:
    """Guard's app in a worker, and the timer."""
    serving = serving_app()
    inner = serving.router.lifespan_context

    @asynccontextmanager
    async def timed(of: Starlette) -> AsyncIterator[None]:
        async with inner(of):
            task = asyncio.create_task(watch())
            yield
            task.cancel()

    serving.router.lifespan_context = timed
    serving.router.routes.insert(0, Route("/bench/lags", told))
    return serving
