"""App keys: who is let in, as which app, and what the provider is shown."""

import time
from contextlib import contextmanager

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from guard.errors import SettingsError, Unauthorised
from guard.keys import hash_key
from guard.proxy.app import create_app
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


OWN = """
policy: {name}
metrics:
  team: {{kind: label, label: team}}
stages:
  input:
    rulesets:
      - name: blue
        rules: [{{metric: team, operator: eq, target_value: blue}}]
        action: {{type: override, choices: [{name} says no.]}}
applies_to: {{models: [{models}]}}
"""


@pytest.fixture
def named(settings, tmp_path):
    """Guard under two policies, of which the first applies to everything, with these keys of the app `shop`."""
    folder = tmp_path / "policies"
    folder.mkdir()
    for name, models in (("common", "'*'"), ("own", "none")):
        (folder / f"{name}.yaml").write_text(OWN.format(name=name, models=models))

    @contextmanager
    def make(**key):
        apps = {"shop": [{"key": f"sha256:{hash_key('k')}", **key}]}
        chosen = settings(apps=apps).model_copy(update={"policy": str(folder)})
        with TestClient(create_app(chosen, upstream=ScriptedUpstream()), headers=bearer("k")) as client:
            yield client

    return make


@pytest.mark.parametrize(("key", "policy"), [({}, "common"), ({"policy": "own"}, "own")])
def test_a_key_may_name_its_policy_which_holds_then_whatever_it_applies_to(named, key, policy):
    with named(**key) as client:
        assert ask(client, "hi").headers["x-guard-policy"].startswith(f"{policy}@")
        checked = client.post("/v1/guard/check", json={"text": "hi"})
        assert checked.json()["policy"].startswith(f"{policy}@")


def test_a_key_whose_policy_is_gone_lets_nothing_through(named):
    with named(policy="onw") as client:
        response = ask(client, "hi")
    assert response.status_code == 403
    assert "did you mean 'own'" in response.json()["error"]["message"]


def test_rules_see_a_keys_labels_and_no_request_changes_them(named):
    with named(labels={"team": "blue", "user": "shop"}) as client:
        said = ask(client, "hi", user="somebody").json()["choices"][0]["message"]["content"]
        assert said == "common says no."
        check = client.post("/v1/guard/check", json={"text": "hi", "labels": {"team": "red"}}).json()
        assert check["reply"] == "common says no."
    with named(labels={"team": "red"}) as client:
        assert ask(client, "hi").json()["choices"][0]["message"]["content"] == "fine"


@pytest.mark.parametrize("name", ["app", "key", "model", "route", "policy"])
def test_a_label_that_guard_sets_itself_is_refused(settings, name):
    with pytest.raises(ValueError, match="give the label another name"):
        settings(apps={"shop": [{"key": "env:K", "labels": {name: "x"}}]})


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


def asking(key):
    """A request that carries a key."""
    return Request({"type": "http", "headers": [(b"authorization", f"Bearer {key}".encode())]})


def test_keys_that_come_with_policies_come_and_go_without_a_restart():
    live = {}
    keys = AppKeys.of({"shop": APPS["shop"]}, live=lambda: live)
    with pytest.raises(Unauthorised):
        keys.caller(asking("web-key"))
    live["web"] = ((hash_key("web-key"), None), (hash_key("old-key"), time.time() - 1))
    assert (keys.caller(asking("web-key")).app, keys.caller(asking("shop-key")).app) == ("web", "shop")
    with pytest.raises(Unauthorised):
        keys.caller(asking("old-key"))
    live["web"] = ()
    with pytest.raises(Unauthorised):
        keys.caller(asking("web-key"))


def test_an_app_that_comes_with_policies_and_has_no_key_lets_nobody_in():
    keys = AppKeys.of({}, live=lambda: {"web": ()})
    assert keys.required
    with pytest.raises(Unauthorised):
        keys.caller(asking("anything"))
