"""What the provider is asked, whatever the caller sends: paths, headers and names of models."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from guard.errors import BadRequest
from guard.proxy.any_provider import AnyProvider
from guard.proxy.app import create_app
from tests.proxy.conftest import running

CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()


@pytest.fixture
def asked():
    """The requests that the provider got."""
    return []


@pytest.fixture
def send(asked, settings):
    """Sends a request to Guard as it is written, which httpx would tidy up; the status."""

    async def answer(request):
        asked.append((request.scope["path"], request.headers))
        message = {"role": "assistant", "content": "fine"}
        return JSONResponse({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    provider = Starlette(routes=[Route("/{rest:path}", answer, methods=["GET", "POST"])])
    with running(provider) as url:
        opened = settings(upstream=f"{url}/v1", open_routes=["/v1/rerank", "/v1/responses/*"], max_body=1_000)
        with running(create_app(opened)) as guard:

            def sent(method, path, body=None, **headers):
                connection = HTTPConnection(urlsplit(guard).netloc, timeout=20)
                connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
                return connection.getresponse().status

            yield sent


def test_a_models_name_cannot_climb_to_another_path_of_the_provider(send, asked):
    for path in ("../files", "..%2ffiles/1/content", "%2e%2e/%2e%2e/admin", "%252e%252e/files", "a/../../files", "./a"):
        assert send("GET", f"/v1/models/{path}") == 400, path
    assert send("GET", "/v1/models/maker/model:1%3Fa=b") == 200
    assert [path for path, _ in asked] == ["/v1/models/maker/model:1?a=b"]


def test_a_route_that_ends_with_a_star_opens_what_is_below_it_and_nothing_else(send, asked):
    climbing = ("../files", "%2e%2e/files", "%252e%252e/files", "a/../../files", "a//b", "")
    ending = ("%3Fx", ".%3Fx", "a/..%23x", "..%5Cfiles", "..;/files", "%2525252e%2525252e/files")
    for path in (*climbing, *ending):
        assert send("GET", f"/v1/responses/{path}") == 403, path
    assert send("GET", "/v1/responses_of_others") == 403
    assert send("GET", "/v1/responses/resp_1/input_items") == 200
    assert [path for path, _ in asked] == ["/v1/responses/resp_1/input_items"]


def test_a_caller_may_be_called_anything(send, asked):
    assert send("POST", "/v1/chat/completions", CHAT, user_agent=b"caf\xe9") == 200
    assert asked[0][1]["user-agent"].startswith("caf")


def test_what_was_read_as_json_goes_on_as_json(send, asked):
    assert send("POST", "/v1/chat/completions", CHAT, content_type="text/plain; charset=utf-7") == 200
    assert asked[0][1]["content-type"] == "application/json"


def test_a_cookie_of_the_providers_is_not_kept_for_the_next_caller(settings):
    cookies = []

    async def answer(request):
        cookies.append(request.headers.get("cookie"))
        return JSONResponse({"data": []}, headers={"set-cookie": "session=1; Path=/"})

    with (
        running(Starlette(routes=[Route("/v1/models", answer)])) as url,
        running(create_app(settings(upstream=f"{url}/v1"))) as guard,
    ):
        connection = HTTPConnection(urlsplit(guard).netloc, timeout=20)
        for _ in range(2):
            connection.request("GET", "/v1/models")
            connection.getresponse().read()
    assert cookies == [None, None]


def test_an_open_route_takes_bodies_up_to_the_limit_only(send, asked):
    assert send("POST", "/v1/rerank", b"x" * 1_000, content_type="text/plain") == 200
    assert asked[0][1]["content-type"] == "text/plain"
    assert send("POST", "/v1/rerank", b"x" * 1_001) == 413


@pytest.mark.parametrize("path", ["/v1/rerank/", "/v1/Rerank", "/v1//rerank", "/v1/x/../rerank"])
def test_a_route_that_only_looks_like_an_open_one_stays_closed(send, asked, path):
    assert send("POST", path, b"{}") == 403
    assert send("POST", "/v1/audio/speech", b"{}", host="x/v1/rerank?") == 403
    assert asked == []


@pytest.mark.parametrize(
    "model",
    [
        "oobabooga/http://a.example",
        "gemini/../../x",
        "gemini/a?key=b",
        "gemini/a#b",
        "x/%2e%2e/y",
        "x/a b",
        "x\\y",
        "//x",
    ],
)
async def test_a_model_that_is_an_address_is_not_asked(model):
    with pytest.raises(BadRequest, match="name of a model"):
        await AnyProvider().complete("chat/completions", {"model": model, "messages": []}, {})
    with pytest.raises(BadRequest, match="name of a model"):
        await anext(AnyProvider().stream("chat/completions", {"model": model, "messages": []}, {}))
