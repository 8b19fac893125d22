"""`/v1/messages` as a route: who is asked there, with which key, what errors look like, and what the demo answers."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from guard.errors import SettingsError, UpstreamTimeout
from guard.proxy.app import create_app
from guard.proxy.auth import hash_key
from tests.fakes import ScriptedUpstream
from tests.proxy.conftest import running

APPS = {"shop": [f"sha256:{hash_key('shop-key')}"]}
MESSAGE = {"content": [{"type": "text", "text": "fine"}], "usage": {"input_tokens": 1, "output_tokens": 1}}


def body(content="hello", **more):
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}], **more}


@pytest.fixture
def asked():
    """The paths and headers of what the provider of Anthropic's protocol was asked."""
    return []


@pytest.fixture
def provider(asked):
    """The base URL of a provider that answers at any path."""

    async def answer(request):
        asked.append((request.scope["path"], request.headers))
        return JSONResponse(MESSAGE)

    with running(Starlette(routes=[Route("/{rest:path}", answer, methods=["GET", "POST"])])) as url:
        yield f"{url}/v1"


def test_anthropics_protocol_goes_to_its_own_provider_and_openais_to_the_other(client, provider, asked):
    other = ScriptedUpstream()
    caller = client(other, anthropic_upstream=provider)
    assert caller.post("/v1/messages", json=body()).json()["content"] == MESSAGE["content"]
    assert caller.post("/v1/chat/completions", json=body()).status_code == 200
    assert caller.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).json() == MESSAGE
    assert caller.get("/v1/models").json()["object"] == "list"
    assert [path for path, _ in asked] == ["/v1/messages", "/v1/models"]
    assert len(other.bodies) == 1


def test_guards_own_key_is_sent_as_anthropic_wants_it_and_the_callers_is_not(client, provider, asked, monkeypatch):
    monkeypatch.setenv("PROVIDER_KEY", "sk-provider")
    caller = client(anthropic_upstream=provider, anthropic_key_env="PROVIDER_KEY")
    caller.post("/v1/messages", json=body(), headers={"x-api-key": "mine", "authorization": "Bearer mine"})
    _, headers = asked[0]
    assert headers["x-api-key"] == "sk-provider"
    assert "authorization" not in headers
    assert headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("key", [{"x-api-key": "shop-key"}, {"authorization": "Bearer shop-key"}])
def test_an_apps_key_is_taken_in_either_header_and_never_shown_to_the_provider(client, provider, asked, key):
    caller = client(apps=APPS, anthropic_upstream=provider)
    assert caller.post("/v1/messages", json=body(), headers=key).status_code == 200
    assert not {"x-api-key", "authorization"} & set(asked[0][1])


def test_versions_and_betas_reach_the_provider(client, provider, asked):
    sent = {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b", "x-other": "no"}
    answer = client(anthropic_upstream=provider).post("/v1/messages", json=body(), headers=sent)
    assert answer.status_code == 200
    headers = dict(asked)["/v1/messages"]
    assert {name: headers.get(name) for name in sent} == {**sent, "x-other": None}


def test_a_key_that_is_not_there_stops_guard_at_the_start(client):
    with pytest.raises(SettingsError, match="anthropic_key_env: the variable NO_SUCH_KEY is not set"):
        client(anthropic_upstream="https://a.example/v1", anthropic_key_env="NO_SUCH_KEY")


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        ({"json": {"model": "m"}}, 400, "invalid_request_error"),
        ({"content": b"{"}, 400, "invalid_request_error"),
        ({"json": body("x" * 2_000)}, 413, "request_too_large"),
        ({"json": body(), "headers": {"x-api-key": "wrong"}}, 401, "authentication_error"),
    ],
)
@pytest.mark.parametrize("route", ["/v1/messages", "/v1/messages/count_tokens"])
def test_what_guard_refuses_has_anthropics_shape(client, route, sent, status, kind):
    caller = client(apps=APPS, max_body=1_000)
    response = caller.post(route, **{"headers": {"x-api-key": "shop-key"}, **sent})
    assert response.status_code == status
    assert response.json()["type"] == "error"
    assert response.json()["error"]["type"] == kind


def test_what_goes_wrong_elsewhere_has_anthropics_shape_too(client):
    late = client(ScriptedUpstream(error=UpstreamTimeout("late"))).post("/v1/messages", json=body())
    assert (late.status_code, late.json()["error"]) == (504, {"type": "timeout_error", "message": "late"})
    bug = client(ScriptedUpstream(error=ValueError("secret"))).post("/v1/messages", json=body())
    assert (bug.status_code, bug.json()["error"]["type"]) == (500, "api_error")
    assert "secret" not in bug.text
    assert client().get("/v1/messages").json()["type"] == "error"
    chat = client(ScriptedUpstream("an answer of another protocol")).post("/v1/messages", json=body())
    assert (chat.status_code, chat.json()["error"]["type"]) == (502, "api_error")


def test_a_stream_that_is_not_understood_ends_with_an_error_event(client):
    text = client(ScriptedUpstream("of another protocol")).post("/v1/messages", json=body(stream=True)).text
    assert text.startswith('event: error\ndata: {"type":"error","error":{"type":"api_error"')
    assert "another" not in text


async def test_a_provider_that_does_not_speak_it_says_so(settings):
    pytest.importorskip("litellm")
    with running(create_app(settings(upstream="litellm"))) as url:
        import httpx

        async with httpx.AsyncClient(base_url=url) as caller:
            response = await caller.post("/v1/messages", json=body())
    assert response.status_code == 400
    assert "anthropic_upstream" in response.json()["error"]["message"]


@pytest.fixture
def demo(settings):
    """The address of Guard before the demo model."""
    with running(create_app(settings(upstream="demo"))) as url:
        yield url


def test_the_demo_answers_whole_and_streamed(demo):
    anthropic = pytest.importorskip("anthropic")
    asked = {
        "model": "demo",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "What did I say? ORD-12345678"}],
    }
    with anthropic.Anthropic(base_url=demo, api_key="k", max_retries=0) as caller:
        whole = caller.messages.create(**asked)
        with caller.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
        counted = caller.messages.count_tokens(model="demo", messages=asked["messages"])
    said = "You said: What did I say? ORD-12345678"
    assert whole.content[0].text == streamed.content[0].text == said
    assert whole.usage.output_tokens == streamed.usage.output_tokens == len(said.split())
    assert counted.input_tokens == 5


def test_a_count_that_a_stage_refuses_is_an_error_that_says_the_policys_text_and_what_was_checked(client):
    upstream = ScriptedUpstream()
    response = client(upstream).post("/v1/messages/count_tokens", json=body("Is Acme better?"))
    assert (response.status_code, response.json()["error"]["message"]) == (400, "We only speak of ourselves.")
    assert response.headers["x-guard-status"] == "triggered"
    assert upstream.bodies == []
