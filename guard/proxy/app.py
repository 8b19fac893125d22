"""The proxy as an ASGI app: routes, what starts and ends with it, and errors in the shape of the route's protocol."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guard.compare import Comparer
from guard.errors import BadRequest, GuardError, Overloaded
from guard.guard import Exchange, Guard
from guard.metrics.far import WAIT, FarVerdicts
from guard.metrics.verdicts import Verdicts
from guard.notify import Notifier
from guard.policies.central import PAUSE
from guard.policies.live import LivePolicies
from guard.proxy.admission import Admission, Admitted
from guard.proxy.auth import AppKeys
from guard.proxy.body import Json, headers_of, status_of
from guard.proxy.check import check
from guard.proxy.drain import Drain, draining
from guard.proxy.fleet import Reporter, policy_source
from guard.proxy.forward import models, unread
from guard.proxy.handler import handler
from guard.proxy.headers import guard_headers
from guard.proxy.health import healthz, readyz
from guard.proxy.limits import Limits
from guard.proxy.litellm_guardrail import ROUTE as LITELLM
from guard.proxy.litellm_guardrail import litellm_guardrail
from guard.proxy.mcp import message as json_rpc
from guard.proxy.mcp.route import METHODS as MCP_METHODS
from guard.proxy.mcp.route import ROUTE as MCP
from guard.proxy.mcp.route import mcp
from guard.proxy.mcp.servers import McpServers
from guard.proxy.moderations import moderations
from guard.proxy.proxy import GONE, HungUp, Proxy, proxy_of
from guard.proxy.resilience.opening import open_anthropic, open_targets
from guard.proxy.resilience.tried import Tried
from guard.proxy.uploads import Uploads
from guard.proxy.upstream import Upstream, UpstreamRefused
from guard.proxy.watched import Watched, look_at, metrics
from guard.proxy.wire import WIRES, openai
from guard.redis import SharedRedis
from guard.settings import Settings
from guard.store.buffer import Buffer
from guard.store.mask import Masker
from guard.store.recording import recording
from guard.telemetry.running import Running

log = logging.getLogger(__name__)

#: Seconds; Python's own are 0.005.
SWITCH = 0.001
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(
    settings: Settings, *, upstream: Upstream | None = None, servers: McpServers | None = None, drains: bool = False
) -> Starlette:
    """The proxy for these settings; `upstream` and `servers` stand in for those that they name.

    With `drains` it takes SIGTERM from its server, to end as drain.py says.
    """
    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        *(Route(wire.route, handler(wire), methods=["POST"]) for wire in WIRES),
        Route(MCP, mcp, methods=MCP_METHODS),
        Route("/v1/guard/check", check, methods=["POST"]),
        Route(LITELLM, litellm_guardrail, methods=["POST"]),
        Route("/v1/moderations", moderations, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{model:path}", models),
        Route("/v1/{rest:path}", unread, methods=METHODS),
    ]
    if settings.metrics and not settings.metrics_port:
        routes.append(Route("/metrics", metrics))
    watched = [Middleware(Watched, routes)] if settings.metrics or settings.traces else []
    handlers = {GuardError: _guard_error, HTTPException: _http_error, Exception: _bug, HungUp: _hung_up}
    lifespan = partial(_lifespan, settings, upstream, servers, drains)
    middleware = [*watched, Middleware(Uploads, _guard_error), Middleware(Admitted, _guard_error)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers, lifespan=lifespan)


def serving_app() -> Starlette:
    """The proxy in a worker process, for the settings that `guard serve` left in the environment."""
    # A thread that measures keeps the event loop waiting so long at most, each time.
    sys.setswitchinterval(SWITCH)
    file = os.environ.get("GUARD_CONFIG")
    return create_app(Settings.load(Path(file) if file else None), drains=True)


@asynccontextmanager
async def _lifespan(
    settings: Settings, upstream: Upstream | None, servers: McpServers | None, drains: bool, app: Starlette
) -> AsyncIterator[None]:
    """Start a worker's parts in their order, and end them in the reverse one."""
    async with AsyncExitStack() as stack:
        drain = Drain()
        if drains:
            await stack.enter_async_context(draining(drain, settings.drain_delay))
        live = LivePolicies(policy_source(settings), interval=PAUSE if settings.central else settings.reload)
        policies = await stack.enter_async_context(live)
        buffer = await _recording(settings, stack)
        notifier = await stack.enter_async_context(_notifier(settings))
        # Importing what exports takes a moment.
        watching = await asyncio.to_thread(Running, settings) if settings.metrics or settings.traces else None
        comparer = await stack.enter_async_context(Comparer(lambda: policies.current))
        guard = Guard(
            policies,
            recorder=buffer,
            notifier=notifier,
            observer=watching.observer if watching else None,
            comparer=comparer,
            measure_all=settings.measure_all,
            project=settings.project,
            verdicts=_verdicts(settings, stack),
            key=settings.redact_key.get_secret_value(),
            line=settings.measure_queue,
        )
        targets = await asyncio.to_thread(open_targets, settings, stack, upstream)
        anthropic = open_anthropic(settings, stack, targets)
        app.state.watching = watching
        admission = Admission(settings)
        if watching is not None:
            await stack.enter_async_context(watching.started(look_at(policies, buffer, admission, targets, anthropic)))
        keys = AppKeys.of(settings.apps, live=lambda: policies.current.keys)
        if settings.central:
            await stack.enter_async_context(Reporter(policies, guard, comparer, buffer))
        redis = _redis(settings, stack)
        if servers is None:
            servers = McpServers.of(settings)
            stack.push_async_callback(servers.aclose)
        limits = Limits(settings.limits, redis, longest=settings.deadline)
        app.state.proxy = Proxy(
            guard, targets, anthropic, keys, limits, settings, policies, drain, servers, admission, buffer, redis
        )
        yield


def _notifier(settings: Settings) -> Notifier:
    return Notifier(
        secret=settings.webhook_secret.get_secret_value(),
        masker=Masker(mode=settings.event_text),
        private=settings.webhook_private,
    )


def _verdicts(settings: Settings, stack: AsyncExitStack) -> Verdicts:
    """This worker's verdicts, shared with the others where the settings name a Redis and a secret."""
    url, secret = settings.redis.get_secret_value(), settings.verdict_secret.get_secret_value().encode()
    if not url or not secret:
        return Verdicts(settings.verdict_cache)
    # A client of its own, with less patience: a verdict that is long in coming is measured sooner.
    redis = SharedRedis(url, timeout=WAIT)
    stack.push_async_callback(redis.aclose)
    return Verdicts(settings.verdict_cache, secret, FarVerdicts(redis, secret))


def _redis(settings: Settings, stack: AsyncExitStack) -> SharedRedis | None:
    """This worker's Redis, where the settings name one, closed with the stack."""
    url = settings.redis.get_secret_value()
    if not url:
        return None
    redis = SharedRedis(url)
    stack.push_async_callback(redis.aclose)
    return redis


async def _recording(settings: Settings, stack: AsyncExitStack) -> Buffer | None:
    """The buffer that takes this worker's events to the store, both closed with the stack."""
    if settings.store == "none":
        return None
    spool = Path(settings.spool) if settings.spool else None
    recorder = recording(settings.store, spool=spool, text=settings.event_text, keep_days=settings.retention_days)
    return await stack.enter_async_context(recorder)


async def _guard_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GuardError)
    if isinstance(error, Overloaded):
        proxy_of(request).admission.refused[error.over] += 1
    if isinstance(error, UpstreamRefused):
        return Json(error.body, error.status, {**error.headers, **headers_of(error), **_checked(request)})
    return _told(request, error, status_of(error), headers_of(error))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = BadRequest(f"{request.method} {request.url.path}: {error.detail}")
    return _told(request, told, error.status_code, error.headers)


async def _hung_up(request: Request, error: Exception) -> Response:
    # Nobody reads it.
    return Response(status_code=GONE)


async def _bug(request: Request, error: Exception) -> Response:
    """An error nobody foresaw: the log has it, the caller learns nothing of our inside."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _told(request, GuardError("Guard failed on this request; it was not passed on"), 500)


def _told(request: Request, error: GuardError, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An error in the shape of the route's protocol; in OpenAI's where the route has none."""
    if request.scope["path"].startswith(MCP.partition("{")[0]):
        return Json(json_rpc.error_of(error), status, dict(headers or {}))
    wire = next((wire for wire in WIRES if wire.route == request.scope["path"]), openai)
    return Json(wire.error(error), status, {**(headers or {}), **_checked(request)})


def _checked(request: Request) -> dict[str, str]:
    """What was checked of a request before its error, and who was asked, if it came so far."""
    exchange: Exchange | None = getattr(request.state, "exchange", None)
    tried: Tried | None = getattr(request.state, "tried", None)
    return {**(guard_headers(exchange) if exchange else {}), **(tried.headers() if tried else {})}
