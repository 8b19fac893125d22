"""The least that a proxy can do: Starlette in, aiohttp out, bytes passed on unread."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")


async def completions(request):
    content = await request.body()
    headers = {"content-type": "application/json"}
    async with request.app.state.session.post(f"{UPSTREAM}/chat/completions", data=content, headers=headers) as answer:
        return Response(await answer.read(), answer.status, media_type="application/json")


@asynccontextmanager
async def lifespan(app):
    async with aiohttp.ClientSession() as session:
        app.state.session = session
        yield


app = Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])], lifespan=lifespan)
