"""What worker processes share through Redis: one client a worker, bounded waits. The only file that imports redis.

Redis is a help, never a need: whoever asks must go on without it. So its absence is told at once and cheaply.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from guard.errors import GuardError, SettingsError

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that one question may take, with connecting.
TIMEOUT = 0.25
#: Seconds after a failure in which nobody asks; then one caller tries again, and only that one waits.
PAUSE = 1.0
#: Connections of a worker; who finds none free waits for one within its own timeout.
CONNECTIONS = 50
#: What every key begins with.
PREFIX = "guard:"


class RedisAway(GuardError):
    """Redis did not answer, or was not asked because it did not a moment ago."""


class SharedRedis:
    """A worker's Redis at `url`, connected to on first use. Belongs to one event loop.

    Raises SettingsError for a URL that is none, and where redis is not installed.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._errors = _client(url, timeout)
        self._timeout = timeout
        self._clock = clock
        self._again = 0.0
        #: Why Redis is away, without its address; None while it answers.
        self.problem: str | None = None

    async def ask(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """What `work(client)` gives, the client being redis.asyncio's with bytes as values. Raises RedisAway."""
        if self.problem is not None:
            if self._clock() < self._again:
                raise RedisAway(self.problem)
            self._again = self._clock() + PAUSE
        try:
            async with asyncio.timeout(self._timeout):
                result = await work(self._client)
        except (self._errors, OSError, TimeoutError) as error:
            self._fail(error)
            raise RedisAway(str(self.problem)) from None
        if self.problem is not None:
            log.warning("Redis answers again")
            self.problem = None
        return result

    async def aclose(self) -> None:
        """End all connections."""
        await self._client.aclose()

    def _fail(self, error: Exception) -> None:
        if self.problem is None:
            # Only the type: the message may hold the address, and that a password.
            log.warning("Redis is away (%s); workers go on each for itself", type(error).__name__)
        self.problem = f"Redis does not answer: {type(error).__name__}"
        self._again = self._clock() + PAUSE


def _client(url: str, timeout: float) -> tuple[Any, type[Exception]]:
    """The client and the root of its errors."""
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
    except ImportError:
        raise SettingsError("redis: the client is not installed; pip install 'stageguard[redis]'") from None
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # A retry would wait longer than anybody here has time for.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        # Its message shows the URL, and that may hold a password.
        raise SettingsError("redis: no URL of a Redis; give redis://, rediss:// or unix://") from None
    return Redis.from_pool(pool), RedisError
