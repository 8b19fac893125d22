"""A proxy that follows central: where its policies come from, and what it tells central of itself."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx

from guard.compare import Comparer
from guard.errors import SettingsError
from guard.guard import Guard
from guard.policies.central import CentralSource, Following
from guard.policies.live import LivePolicies
from guard.policies.report import Report
from guard.policies.signature import Trust
from guard.policies.source import Source, source_of
from guard.settings import Settings
from guard.store.buffer import Buffer
from guard.tls import trusting

log = logging.getLogger(__name__)

#: Seconds between reports, and between looks whether there is something new to tell.
EVERY, LOOK = 10.0, 0.2


def policy_source(settings: Settings) -> Source:
    """Where the settings say that policies come from. Raises SettingsError."""
    if not settings.central:
        return source_of(settings.policy)
    cache = Path(settings.central_cache) if settings.central_cache else None
    return CentralSource(following_of(settings), cache=cache)


def following_of(settings: Settings) -> Following:
    """What of which central is followed. Raises SettingsError where the key or the trust is missing."""
    key = os.environ.get(settings.central_key_env, "")
    if not key:
        raise SettingsError(f"central_key_env: the variable {settings.central_key_env} is not set; set it")
    if not settings.central_trust:
        raise SettingsError("central_trust: name central's public key; `guard central init` shows it")
    verify = trusting(settings.central_ca, settings.central_certificate)
    trust = Trust(settings.central_trust)
    return Following(settings.central, settings.project, settings.environment, key, trust, verify)


class Reporter:
    """Tells central what is in force here, every some seconds and as soon as it changes. Use it as a context manager.

    Central away, or an error of its own, changes nothing here: the next report comes.
    """

    def __init__(
        self,
        policies: LivePolicies,
        guard: Guard,
        comparer: Comparer,
        events: Buffer | None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        assert isinstance(policies.source, CentralSource)
        self._source = policies.source
        self._policies, self._guard, self._comparer, self._events = policies, guard, comparer, events
        self._instance = f"{socket.gethostname()}:{os.getpid()}"[:200]
        self._started_at = time.time()
        following = policies.source.following
        self._url = policies.source.shown.removesuffix("bundle") + "reports"
        headers = {"authorization": f"Bearer {following.key}"}
        self._client = httpx.AsyncClient(headers=headers, timeout=10.0, verify=following.verify, transport=transport)
        self._failing = False

    def report(self) -> Report | None:
        """What there is to tell; None before anything is in force."""
        active, status = self._source.active, self._policies.status
        if active is None:
            return None
        lost = self._events.stats.dropped if self._events else 0
        return Report(
            instance=self._instance,
            version=_version(),
            started_at=self._started_at,
            sequence=active.bundle.sequence,
            digest=active.envelope.digest,
            problem=status.error[:4_000] if status.error else None,
            statuses=dict(self._guard.statuses),
            events_lost=lost,
            disagreements=self._comparer.report(),
        )

    async def __aenter__(self) -> Reporter:
        self._task = asyncio.create_task(self._work(), name="guard-reports")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def _work(self) -> None:
        told: tuple[object, ...] | None = None
        at = 0.0
        while True:
            report = self.report()
            news = (report.sequence, report.problem) if report else None
            if report and (news != told or time.monotonic() >= at + EVERY):
                await self._tell(report)
                told, at = news, time.monotonic()
            await asyncio.sleep(LOOK)

    async def _tell(self, report: Report) -> None:
        try:
            response = await self._client.post(
                self._url, content=report.model_dump_json(), headers={"content-type": "application/json"}
            )
            problem = None if response.is_success else f"it answered {response.status_code}"
        except httpx.HTTPError as error:
            problem = str(error) or type(error).__name__
        if problem and not self._failing:
            log.warning("central could not be told what is in force here: %s", problem)
        self._failing = problem is not None


def _version() -> str:
    try:
        return version("stageguard")
    except PackageNotFoundError:
        return ""
