"""Routes that Guard does not read: refused, unless a setting opens them by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from guard.errors import BadRequest, NoPolicy
from guard.proxy.admission import as_stream
from guard.proxy.body import Json, body_of
from guard.proxy.proxy import Proxy, caller_of, proxy_of, unless_hung_up
from guard.proxy.resilience.tried import Tried
from guard.proxy.upstream import PASSED_BACK, HttpUpstream, shown
from guard.proxy.watched import forwarded

UNGUARDED = {"x-guard-status": "unguarded", "x-guard-coverage": "none"}


async def models(request: Request) -> Response:
    """`GET /v1/models` and `/v1/models/{model}`: what the provider has. No text goes in or out."""
    proxy = proxy_of(request)
    return await proxy.limits.around(caller_of(request), {}, lambda _: _models(request, proxy))


async def _models(request: Request, proxy: Proxy) -> Response:
    model = request.path_params.get("model")
    # A path that climbs would reach all that the provider's key opens.
    if model is not None and not {"", ".", ".."}.isdisjoint(unquote(model).split("/")):
        raise BadRequest(f"'{model}' is not the name of a model", param="model")
    path = "models" if model is None else f"models/{quote(model)}"
    # Anthropic's clients ask at the same route, and always say which version they speak.
    target = (proxy.anthropic if "anthropic-version" in request.headers else proxy.targets).first
    tried = request.state.tried = Tried()
    upstream = target.until(target.clock() + proxy.settings.deadline, tried)
    return Json(await unless_hung_up(request, upstream.get(path, request.headers)), headers=tried.headers())


async def unread(request: Request) -> Response:
    """Any other route: passed to the provider as it is where `open_routes` names it, refused otherwise."""
    proxy, route = proxy_of(request), request.scope["path"]
    if not _opened(route, proxy.settings.open_routes) or not isinstance(proxy.upstream, HttpUpstream):
        raise NoPolicy(
            f"{request.method} {route} is not read by Guard, so it is refused; "
            f"open it unguarded with open_routes: [{route}]"
        )
    return await proxy.limits.around(caller_of(request), {}, lambda _: _passed_on(request, proxy, route))


async def _passed_on(request: Request, proxy: Proxy, route: str) -> Response:
    """The provider's own response, whatever its status; what it streams counts among the streams."""
    path = route.removeprefix("/v1/") + (f"?{request.url.query}" if request.url.query else "")
    target, tried = proxy.targets.first, Tried()
    request.state.tried = tried
    upstream = target.until(target.clock() + proxy.settings.deadline, tried)
    async with AsyncExitStack() as stack:
        call = forwarded(request, upstream, target.breaker.name, path, body_of(request))
        response, pieces = await unless_hung_up(request, stack.enter_async_context(call))
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            as_stream(request)
        by = {"x-guard-upstream": quote(target.name, ":/"), **tried.headers()}
        headers = {**shown(response, ("content-type", *PASSED_BACK)), **UNGUARDED, **by}
        return StreamingResponse(_ending(stack.pop_all(), pieces), response.status, headers)


async def _ending(stack: AsyncExitStack, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, and then the end of the call."""
    async with stack:
        async for piece in pieces:
            yield piece


def _opened(route: str, open_routes: Collection[str]) -> bool:
    """Whether a route is named, itself or as one below `…/*`."""
    if route in open_routes:
        return True
    # A path that climbs would reach all that the provider's key opens.
    path = unquote(route.removeprefix("/v1/"))
    # Where a path holds one of these signs, it ends there, or climbs, for whoever reads it next.
    climbs = not {"", ".", ".."}.isdisjoint(path.split("/")) or not set("?#\\;%").isdisjoint(path)
    return not climbs and any(one.endswith("/*") and route.startswith(one[:-1]) for one in open_routes)
