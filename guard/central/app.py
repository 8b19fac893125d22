"""Central as an ASGI app: its routes, what starts and ends with it, and its errors."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from guard.central import answer
from guard.central.again import OnlyOnce
from guard.central.api import (
    audit,
    bundle,
    datasets,
    environments,
    fleet,
    floor,
    jobs,
    keys,
    metrics,
    policies,
    projects,
    stages,
)
from guard.central.api import (
    events as event_routes,
)
from guard.central.api.common import ERRORS
from guard.central.central import Central, open_database
from guard.central.compat.galileo import routes as galileo
from guard.central.compat.rime import routes as rime
from guard.central.engine import Engine
from guard.central.jobs.runner import Runner
from guard.central.limits import WholeBody
from guard.central.settings import CentralSettings
from guard.errors import GuardError
from guard.metrics.registry import REGISTRY, Registry
from guard.notify import Notifier
from guard.policies.signature import Signer
from guard.store.mask import Masker
from guard.store.recording import recording
from guard.store.store import open_store

#: Below which all of central's own routes stand; the roots are left to other products' clients.
ROOT = "/api/v1"
NOUNS = (
    *(projects, keys, stages, metrics, policies, environments, floor, bundle, fleet),
    *(datasets, jobs, event_routes, audit),
)


def create_app(settings: CentralSettings, metrics: Registry = REGISTRY) -> FastAPI:
    """Central for these settings. `metrics` are those that rules may name."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings, metrics) as central:
            app.state.central = central
            yield

    app = FastAPI(
        title="Guard central",
        version="1",
        description="The control plane: projects, apps and keys, stages, policies, and what is in force where.",
        lifespan=lifespan,
    )
    for noun in NOUNS:
        app.include_router(noun.router, prefix=ROOT, responses=ERRORS)
    galileo.add_routes(app)
    app.include_router(rime.router)
    app.add_api_route("/healthz", _healthz, tags=["health"])
    # The last one added is the first one asked.
    app.add_middleware(OnlyOnce)
    app.add_middleware(WholeBody, limit=settings.max_body)
    app.add_exception_handler(GuardError, answer.guard_error)
    app.add_exception_handler(RequestValidationError, answer.invalid)
    app.add_exception_handler(HTTPException, answer.http_error)
    app.add_exception_handler(Exception, answer.bug)
    return app


def serving_app() -> FastAPI:
    """Central in a worker process, for the settings that `guard central serve` left in the environment."""
    file = os.environ.get("GUARD_CENTRAL_CONFIG")
    return create_app(CentralSettings.load(Path(file) if file else None))


@asynccontextmanager
async def running(settings: CentralSettings, metrics: Registry = REGISTRY) -> AsyncIterator[Central]:
    """A process's parts, started in their order and ended in the reverse one. Raises StoreError and SettingsError."""
    async with AsyncExitStack() as stack:
        signer = Signer.read(Path(settings.signing_key))
        database = await open_database(settings.database)
        stack.push_async_callback(database.close)
        recorder = events = None
        if settings.events != "none":
            kept = recording(settings.events, text=settings.event_text, keep_days=settings.retention_days)
            recorder = await stack.enter_async_context(kept)
            events = await open_store(settings.events)
            stack.push_async_callback(events.close)
        notifier = await stack.enter_async_context(_notifier(settings))
        engine = Engine(recorder=recorder, notifier=notifier, metrics=metrics)
        central = Central(settings, database, signer, engine, events)
        stack.push_async_callback(central.hub.close)
        stack.push_async_callback(central.code.close)
        await stack.enter_async_context(Runner(central))
        yield central


def _notifier(settings: CentralSettings) -> Notifier:
    secret, masker = settings.webhook_secret.get_secret_value(), Masker(mode=settings.event_text)
    return Notifier(secret=secret, masker=masker, private=settings.webhook_private)


async def _healthz() -> dict[str, Any]:
    """200 as long as the event loop turns."""
    return {"status": "ok"}
