"""Routes that a setting opens unread: asked again, left alone, counted and bounded as all others are."""

import asyncio
import threading
import time
from inspect import isfunction

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from guard.proxy.app import create_app
from tests.proxy.conftest import running

RERANK = "/v1/rerank"


@pytest.fixture
def before(settings):
    """A client of Guard before a provider that answers with these responses, one after the other; what it was asked."""
    contexts = []

    def make(*answers, **more):
        left, asked = list(answers), []

        async def answer(request):
            asked.append(await request.body())
            made = left.pop(0)
            return made() if isfunction(made) else made

        opened = []
        for app in (Starlette(routes=[Route("/{rest:path}", answer, methods=["POST", "GET"])]), None):
            if app is None:
                app = create_app(settings(upstream=f"{opened[0]}/v1", open_routes=[RERANK], **more))
            contexts.append(running(app))
            opened.append(contexts[-1].__enter__())
        return httpx.Client(base_url=opened[1], timeout=60), asked, opened[0].removeprefix("http://")

    yield make
    for context in reversed(contexts):
        context.__exit__(None, None, None)


def busy():
    return PlainTextResponse("busy", 503, {"x-request-id": "r"})


def test_a_provider_that_did_not_do_the_work_is_asked_again_with_the_same(before):
    guard, asked, provider = before(busy(), JSONResponse({"results": []}))
    response = guard.post(RERANK, content=b"anything")
    assert (response.status_code, response.json()) == (200, {"results": []})
    assert asked == [b"anything"] * 2
    assert response.headers["x-guard-attempts"] == f"{provider}=503+ok"
    assert (response.headers["x-guard-upstream"], response.headers["x-guard-status"]) == (provider, "unguarded")


def test_its_last_failure_comes_as_it_is(before):
    guard, asked, provider = before(*(busy() for _ in range(3)))
    response = guard.post(RERANK, content=b"anything")
    assert (response.status_code, response.text, response.headers["x-request-id"]) == (503, "busy", "r")
    assert (len(asked), response.headers["x-guard-attempts"]) == (3, f"{provider}=503+503+503")


def test_one_that_refuses_the_request_is_not_asked_again(before):
    guard, asked, _ = before(JSONResponse({"error": "no"}, 400))
    response = guard.post(RERANK, content=b"anything")
    assert (response.status_code, len(asked)) == (400, 1)


def test_one_that_keeps_failing_is_left_alone(before):
    guard, asked, provider = before(busy(), retries=0, breaker_failures=1, breaker_pause=60)
    assert guard.post(RERANK).status_code == 503
    away = guard.post(RERANK)
    assert (away.json()["error"]["code"], len(asked)) == ("upstream_away", 1)
    assert away.headers["x-guard-attempts"] == f"{provider}=away"
    assert away.headers["x-guard-breaker"] == f"{provider}=open"


def test_calls_and_their_failures_are_figures_and_their_paths_are_not(before):
    guard, _, provider = before(JSONResponse({}), JSONResponse({}, 418))
    for _ in range(2):
        guard.post(RERANK)
    figures = guard.get("/metrics").text
    failed = [line for line in figures.splitlines() if line.startswith("guard_upstream_errors_total{")]
    assert len(failed) == 1
    assert f'"{provider}"' in failed[0]
    assert '"418"' in failed[0]
    assert RERANK not in figures


def test_a_stream_counts_as_a_stream_once_it_has_begun(before):
    may_end = threading.Event()

    async def events():
        yield b"data: 1\n\n"
        await asyncio.to_thread(may_end.wait, 60)
        yield b"data: 2\n\n"

    def stream():
        return StreamingResponse(events(), media_type="text/event-stream")

    guard, _, _ = before(stream, stream, max_requests=1, queue=0, max_streams=1)
    with guard.stream("POST", RERANK) as response:
        load, end = {}, time.monotonic() + 60
        while (load.get("requests"), load.get("streams")) != (0, 1):
            assert time.monotonic() < end
            load = guard.get("/readyz").json()["load"]
        refused = guard.post(RERANK)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        may_end.set()
        assert b"".join(response.iter_bytes()) == b"data: 1\n\ndata: 2\n\n"
