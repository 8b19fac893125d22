"""App keys: who is let in, as which app, and what the provider is shown."""

import pytest

from guard.errors import SettingsError
from guard.keys import hash_key
from guard.proxy.auth import AppKeys
from tests.fakes import ScriptedUpstream
from tests.proxy.conftest import ask

APPS = {"shop": [f"sha256:{hash_key('shop-key')}"], "desk": ["env:DESK_KEY", f"sha256:{hash_key('desk-2')}"]}


@pytest.fixture
def caller(client, monkeypatch):
    monkeypatch.setenv("DESK_KEY", "desk-1")
    return client(ScriptedUpstream(), apps=APPS)


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), bearer(""), {"authorization": "Basic shop-key"}])
def test_without_a_known_key_nothing_is_answered(caller, headers):
    for method, path in [("POST", "/v1/chat/completions"), ("POST", "/v1/guard/check"), ("GET", "/v1/models"),
                         ("POST", "/v1/moderations"), ("POST", "/v1/embeddings")]:  # fmt: skip
        response = caller.request(method, path, headers=headers, json={})
        assert response.status_code == 401, path
        assert response.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("key", ["shop-key", "desk-1", "desk-2"])
def test_every_key_of_an_app_is_let_in(caller, key):
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    assert caller.post("/v1/chat/completions", headers=bearer(key), json=body).status_code == 200


def test_the_key_chooses_the_policy(client):
    policy = "policy: shop\napplies_to: {apps: [shop]}\n"
    caller = client(ScriptedUpstream(), policy=policy, apps={**APPS, "desk": APPS["desk"][1:]})
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    assert caller.post("/v1/chat/completions", headers=bearer("shop-key"), json=body).status_code == 200
    assert caller.post("/v1/chat/completions", headers=bearer("desk-2"), json=body).status_code == 403


def test_health_needs_no_key(caller):
    assert caller.get("/healthz").status_code == 200


def test_without_keys_everyone_is_let_in(client):
    assert ask(client(), "hello").status_code == 200


@pytest.mark.parametrize("key", ["plain", "sha256:short", "env:NOT_SET_ANYWHERE"])
def test_a_key_that_is_no_hash_and_no_set_variable_is_refused_at_the_start(key):
    with pytest.raises(SettingsError, match="shop"):
        AppKeys.of({"shop": [key]})


def test_two_apps_with_the_same_key_are_refused():
    same = f"sha256:{hash_key('k')}"
    with pytest.raises(SettingsError, match="same key"):
        AppKeys.of({"a": [same], "b": [same]})


def test_taking_an_apps_last_key_away_lets_nobody_in(client):
    assert ask(client(ScriptedUpstream(), apps={"shop": []}), "hello").status_code == 401
