"""Limits hold on every route below /v1 and /beta, whatever it does."""

import pytest
from starlette.routing import Route

from guard.proxy.upstream import HttpUpstream

NOWHERE = "http://127.0.0.1:9"
#: Questions after the proxy itself, which are always answered.
FREE = {"/healthz", "/readyz", "/metrics"}
ASKED = {"model": "m", "input": "hi", "prompt": "hi", "messages": [{"role": "user", "content": "hi"}]}
BODIES = {
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/embeddings": {"model": "m", "input": "hi"},
    "/v1/guard/check": {"text": "hi"},
    "/beta/litellm_basic_guardrail_api": {"input_type": "request", "texts": ["hi"]},
    "/v1/mcp/{server}": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
}


@pytest.fixture
def limited(client):
    """A client of a proxy with these limits, every one of whose routes is open, before a provider that is not there."""

    def make(*limits):
        upstream = HttpUpstream(f"{NOWHERE}/v1", connect=1.0, read=1.0, connections=1)
        servers = {"shop": f"{NOWHERE}/mcp"}
        return client(upstream, limits=limits, open_routes=["/v1/rerank"], mcp=servers, retries=0)

    return make


def routes(opened):
    """Each route with a method of it, and a body that it understands."""
    for route in opened.app.routes:
        assert isinstance(route, Route)
        if route.path not in FREE:
            path = route.path.replace("{server}", "shop").replace("{model:path}", "m").replace("{rest:path}", "rerank")
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, path, BODIES.get(route.path, ASKED)


def test_a_caller_who_has_used_them_up_is_refused_on_each_and_no_provider_is_asked(limited):
    opened = limited({"every": "day", "requests": 1})
    first = opened.post("/v1/guard/check", json={"text": "hi"})
    assert (first.status_code, first.headers["x-ratelimit-remaining-requests"]) == (200, "0")
    asked = list(routes(opened))
    assert len(asked) > 12
    for method, path, body in asked:
        refused = opened.request(method, path, json=body)
        assert refused.status_code == 429, (method, path)
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert [opened.get(path).status_code for path in sorted(FREE)] == [200] * 3


def test_a_request_on_each_counts_also_where_its_provider_fails(limited):
    opened = limited({"every": "day", "requests": 100})
    # The model of moderations takes long to load.
    asked = [one for one in routes(opened) if one[1] != "/v1/moderations"]
    for method, path, body in asked:
        assert opened.request(method, path, json=body).status_code in (200, 502, 503), (method, path)
    last = opened.post("/v1/guard/check", json={"text": "hi"})
    assert last.headers["x-ratelimit-remaining-requests"] == str(100 - len(asked) - 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/guard/check", lambda user: {"text": "hi", "labels": {"user": user}}),
        (
            "/beta/litellm_basic_guardrail_api",
            lambda user: {
                "input_type": "request",
                "texts": ["hi"],
                "request_data": {"user_api_key_end_user_id": user},
            },
        ),
    ],
)
def test_users_are_told_apart_as_each_route_names_them(limited, path, body):
    opened = limited({"per": "user", "every": "day", "requests": 1})
    statuses = [opened.post(path, json=body(user)).status_code for user in ("ada", "bob", "ada")]
    assert statuses == [200, 200, 429]


def test_sessions_of_mcp_are_told_apart_by_their_id(limited):
    opened = limited({"per": "session", "every": "day", "requests": 1})
    asked = BODIES["/v1/mcp/{server}"]
    sent = [
        opened.post("/v1/mcp/shop", json=asked, headers={"mcp-session-id": session}).status_code
        for session in ("a", "b", "a")
    ]
    assert sent == [502, 502, 429]
