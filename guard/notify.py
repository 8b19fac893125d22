"""Subscriptions told: a webhook for each status that a policy subscribes to, signed, retried, off the hot path."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from guard.addresses import PublicOnly
from guard.stages import Subscription
from guard.store.mask import Masker
from guard.store.writer import Make

log = logging.getLogger(__name__)

#: Deliveries that wait, and characters of turns that they hold on to; more are dropped and counted: a dead webhook must
#: not fill the memory.
WAITING = 1_000
WAITING_CHARACTERS = 16_000_000
TRIES = 3
#: Seconds before the first retry; each further one waits twice as long.
PAUSE = 0.5
#: Deliveries at a time, so that a webhook that hangs does not hold up the others.
TOGETHER = 8


@dataclass(slots=True)
class Deliveries:
    """How many were delivered, failed after all tries, or were dropped because too many waited."""

    delivered: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class _Delivery:
    url: str
    make: Make = field(repr=False)
    characters: int


class Notifier:
    """Posts events as JSON to the URLs that subscribe to them, their text as `masker` keeps it.

    They go to public addresses only, unless they may be `private`; redirects are not followed. With a `secret` each
    request carries `x-guard-signature: sha256=HEX`, the HMAC of its body. Use it as an async context manager; leaving
    it gives what still waits `grace` seconds.
    """

    def __init__(
        self,
        *,
        secret: str = "",
        masker: Masker = Masker(),  # noqa: B008 - frozen
        private: bool = False,
        client: httpx.AsyncClient | None = None,
        grace: float = 5.0,
    ) -> None:
        self.counts = Deliveries()
        self._masker = masker
        self._secret = secret.encode()
        self._private = private
        self._client = client
        self._grace = grace
        self._waiting: asyncio.Queue[_Delivery] = asyncio.Queue(WAITING)
        self._characters = 0
        self._tasks: list[asyncio.Task[None]] = []

    def tell(self, subscriptions: Sequence[Subscription], make: Make, characters: int) -> None:
        """Queue one delivery a subscription; `make` gives the event, later. `characters` is how much text it holds."""
        for subscription in subscriptions:
            if self._waiting.full() or self._characters + characters > WAITING_CHARACTERS:
                self.counts.dropped += 1
                continue
            self._characters += characters
            self._waiting.put_nowait(_Delivery(str(subscription.url), make, characters))

    async def __aenter__(self) -> Notifier:
        transport = None if self._private else PublicOnly()
        self._client = self._client or httpx.AsyncClient(timeout=10.0, transport=transport)
        self._tasks = [asyncio.create_task(self._work()) for _ in range(TOGETHER)]
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            async with asyncio.timeout(self._grace):
                await self._waiting.join()
        except TimeoutError:
            log.warning("%d webhook deliveries were given up at the end", self._waiting.qsize())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._client is not None
        await self._client.aclose()

    async def _work(self) -> None:
        while True:
            delivery = await self._waiting.get()
            try:
                await self._deliver(delivery)
            except Exception:
                self.counts.failed += 1
                log.exception("a webhook delivery could not be made")
            finally:
                self._characters -= delivery.characters
                self._waiting.task_done()

    async def _deliver(self, delivery: _Delivery) -> None:
        assert self._client is not None
        event = await asyncio.to_thread(delivery.make, masker=self._masker)
        content = event.to_json()
        headers = {"content-type": "application/json"}
        if self._secret:
            headers["x-guard-signature"] = "sha256=" + hmac.new(self._secret, content, hashlib.sha256).hexdigest()
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE * 2 ** (attempt - 1))
            try:
                response = await self._client.post(delivery.url, content=content, headers=headers)
            except httpx.HTTPError:
                continue
            if response.status_code < 400:
                self.counts.delivered += 1
                return
        self.counts.failed += 1
        log.warning("a webhook could not be delivered after %d tries", TRIES)
