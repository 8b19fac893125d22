"""What a worker's telemetry starts, and ends again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from guard.errors import SettingsError
from guard.settings import Settings
from guard.telemetry.meters import Meters
from guard.telemetry.sampler import sample
from guard.telemetry.tally import Series
from guard.telemetry.telemetry import Telemetry
from guard.telemetry.workers import FOLDER, Place, of_all

if TYPE_CHECKING:
    from guard.telemetry.traces import Traces


class Running:
    """A worker's telemetry: `observer` for its Guard, `figures` of all workers for whoever scrapes it."""

    def __init__(self, settings: Settings) -> None:
        self.meters = Meters() if settings.metrics else None
        self.traces = _traces(settings) if settings.traces else None
        self.observer = Telemetry(self.meters, self.traces)
        self.token = settings.metrics_token.get_secret_value()
        self.port = settings.metrics_port
        self.place: Place | None = None
        self._host = settings.host
        self._folder = Path(os.environ[FOLDER]) if FOLDER in os.environ else None

    def figures(self) -> Series:
        """The numbers of every worker, this one's as they stand now."""
        assert self.meters is not None
        own = self.meters.tally.series()
        return of_all(self._folder, self.place, own) if self._folder is not None else own

    @asynccontextmanager
    async def started(self, look: Callable[[Meters], None]) -> AsyncIterator[None]:
        """Run until the block ends. `look` puts into the meters what nobody tells of as it happens."""
        async with AsyncExitStack() as stack:
            if self.meters is not None:
                await self._start_meters(self.meters, look, stack)
            if self.traces is not None:
                stack.push_async_callback(asyncio.to_thread, self.traces.close)
            yield

    async def _start_meters(self, meters: Meters, look: Callable[[Meters], None], stack: AsyncExitStack) -> None:
        if self._folder is not None:
            self.place = Place.take(self._folder, meters.tally)
            stack.callback(self.place.leave)
        elif self.port:
            stack.callback(metrics_port(self._host, self.port, self.token, self.figures))
        task = asyncio.create_task(sample(meters, look, self.place))
        stack.push_async_callback(asyncio.wait, [task])
        stack.callback(task.cancel)


def metrics_port(host: str, port: int, token: str, figures: Callable[[], Series]) -> Callable[[], None]:
    """Serve the figures on a port of their own; what ends that. Raises SettingsError where the port is taken."""
    from guard.telemetry.exposition import serve

    try:
        server = serve(host, port, token, figures)
    except OSError as error:
        raise SettingsError(f"metrics_port: {port} on {host} cannot be used: {error.strerror}; take another") from None
    return partial(_stop, server)


def _stop(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


def _traces(settings: Settings) -> Traces:
    try:
        from guard.telemetry.traces import Traces
    except ImportError as error:
        raise SettingsError(f"traces: {error.name} is missing; pip install 'stageguard[traces]'") from None
    return Traces.to(settings.traces, text=settings.trace_text)
