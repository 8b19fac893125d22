"""All routes that Galileo's clients use."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from guard.central.api.common import ERRORS
from guard.central.compat.galileo import invoke, login, projects, stages

#: Newer addresses of the same routes.
_ALSO = ("/v1", "/v2")


def add_routes(app: FastAPI) -> None:
    """Serve Galileo's clients too: at the root, since they drop a path before it."""
    router = APIRouter(tags=["Galileo's clients"], responses=ERRORS)
    for noun in (login, projects, stages, invoke):
        router.include_router(noun.router)
    app.include_router(router)
    for prefix in _ALSO:
        app.include_router(router, prefix=prefix, include_in_schema=False)
