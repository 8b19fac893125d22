"""`GET /healthz`: the process answers. `GET /readyz`: it can do its work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from guard.proxy.body import Json
from guard.proxy.proxy import proxy_of


async def healthz(request: Request) -> Response:
    """200 as long as the event loop turns."""
    return Json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 with the policies in force and what else there is to know; 503 without policies, or when about to end."""
    proxy = proxy_of(request)
    policies = [policy.label for policy in proxy.policies.current.policies]
    status = "draining" if proxy.drain.begun else "ready" if policies else "no policy"
    state: dict[str, Any] = {
        "status": status,
        "policies": policies,
        "problem": proxy.policies.status.error,
        "upstreams": {**proxy.targets.states, **proxy.anthropic.states},
        "load": proxy.admission.load,
        "refused": dict(proxy.admission.refused),
        "events": asdict(proxy.events.stats) if proxy.events else None,
        "redis": (proxy.redis.problem or "ok") if proxy.redis else None,
    }
    return Json(state, 200 if status == "ready" else 503)
