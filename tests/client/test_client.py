"""The SDK against central: what an engineer does with it in a day."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import fields
from typing import Any

import httpx
import pytest

import guard
from guard.client import AsyncClient, Client, frame, records
from guard.client import client as module
from guard.client.face import Method
from guard.client.records import Record
from guard.errors import Conflict, Forbidden, Invalid, NotFound, PolicyError, SettingsError, Unauthorised, Unreachable
from guard.stages import Ruleset
from tests.client.conftest import URL, ruleset

POLICY = """
policy: support
stages:
  input:
    rulesets:
      - name: long
        rules: [{{metric: word_count, operator: gt, target_value: {words}}}]
        action: {{type: override, choices: [Too long.]}}
"""


def test_a_stage_is_made_changed_paused_resumed_and_asked(client: Client):
    made = client.stages.create("front", rulesets=[ruleset(3)], why="first")
    assert (made.name, made.version, made.paused) == ("front", 1, False)
    assert client.stages.update("front", rulesets=[Ruleset.model_validate(ruleset(100))], why="too strict").version == 2
    text = "one two three four"
    assert client.stages.check("front", text).allowed
    blocked = client.stages.check("front", text, version=1)
    assert (blocked.allowed, blocked.status, blocked.text, blocked.version) == (False, "triggered", "Too long.", 1)
    assert client.stages.pause("front", why="incident").paused
    assert client.stages.check("front", text).status == "paused"
    assert not client.stages.resume("front").paused
    assert [one.why for one in client.stages.versions("front")] == ["too strict", "first"]
    assert client.stages.version("front", 1).document["rulesets"][0]["name"] == "long"
    assert client.stages.get(made.id) == client.stages.get("front")


def test_a_local_stage_takes_its_rulesets_with_each_check(client: Client):
    client.stages.create("front", type="local")
    assert client.stages.check("front", "one two three four").status == "skipped"
    assert not client.stages.check("front", "one two three four", rulesets=[ruleset(3)]).allowed


def test_a_batch_is_answered_in_its_order_whatever_is_asked_at_once(client: Client):
    client.stages.create("front", rulesets=[ruleset(3)])
    turns: list[Any] = ["word " * number for number in range(1, 9)]
    turns[0] = {"input": "short", "labels": {"user": "ann"}}
    checked = client.stages.check_batch("front", turns, at_once=3)
    assert [one.allowed for one in checked] == [True] * 3 + [False] * 5
    table = frame(checked)
    assert list(table["word_count@input"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(table["allowed"]) == [True] * 3 + [False] * 5


def test_the_first_turn_that_cannot_be_checked_ends_a_batch(client: Client):
    client.stages.create("front", rulesets=[ruleset(3)])
    with pytest.raises(Invalid, match="nothing on side 'input'"):
        client.stages.check_batch("front", ["fine", "", "fine"])


def test_a_policy_goes_from_draft_to_force_and_back(client: Client):
    assert client.policies.draft("support", POLICY.format(words=10)).problems == []
    first = client.policies.publish("support", why="first")
    client.policies.draft("support", POLICY.format(words=20))
    (change,) = client.policies.diff("support").changes
    assert "20" in change["text"]
    second = client.policies.publish("support")
    assert (first.version, second.version) == (1, 2)
    client.environments.put("production", "support", 1)
    client.environments.put("production", "support", 2)
    back = client.environments.rollback("production", why="too lax")
    assert back.policies["support"]["version"] == 1
    assert client.environments.releases("production")[0].action == "roll back"
    trial = client.environments.canary("production", "support", 2, percent=10).policies["support"]["candidate"]
    assert (trial["mode"], trial["percent"]) == ("canary", 10)
    assert client.environments.shadow("production", "support", 2).policies["support"]["candidate"]["mode"] == "shadow"
    assert client.environments.end_trial("production", "support").policies["support"]["candidate"] is None
    assert client.environments.disagreement("production") == []
    assert client.environments.remove("production", "support").policies == {}
    assert client.policies.version("support", 1).text == POLICY.format(words=10)


def test_a_draft_with_problems_is_kept_and_refused_when_published(client: Client):
    broken = POLICY.format(words=10).replace("word_count", "word_cuont")
    assert "did you mean 'word_count'" in client.policies.draft("support", broken).problems[0]
    with pytest.raises(PolicyError) as raised:
        client.policies.publish("support")
    assert len(raised.value.problems) == 1


def test_keys_are_shown_once_and_open_what_their_role_may(client: Client, central: Any):
    client.apps.create("web")
    client.stages.create("front", rulesets=[ruleset(3)])
    made = client.keys.create("web's", "app", app="web")
    app = Client(URL, made.key, project="shop", transport=central[0])
    assert app.stages.check("front", "hello").allowed
    with pytest.raises(Forbidden, match="role 'app'"):
        app.stages.list()
    assert made.key not in repr(made)
    assert [one.id for one in client.keys.list()] == [made.id]
    newer = client.keys.rotate(made.id)
    client.keys.revoke(newer.id)
    for key in (made.key, newer.key):
        with pytest.raises(Unauthorised):
            Client(URL, key, project="shop", transport=central[0]).stages.check("front", "hello")
    with pytest.raises(Conflict):
        client.keys.revoke(newer.id)


def test_lists_come_in_pages_or_whole(client: Client):
    for number in range(5):
        client.apps.create(f"app-{number}")
    first = client.apps.list(limit=2)
    assert ([one.name for one in first], len(client.apps.list(limit=None))) == (["app-0", "app-1"], 5)
    assert [one.name for one in client.apps.list(cursor=first.next)] == ["app-2", "app-3", "app-4"]
    assert client.apps.list(limit=None).next is None


def test_a_client_for_another_project_sees_that_one(client: Client):
    client.projects.create("other")
    client.stages.create("front")
    other = client.project("other")
    assert (len(client.stages.list()), len(other.stages.list())) == (1, 0)
    with pytest.raises(NotFound):
        other.stages.get("front")


def test_without_a_project_it_asks_which(central: Any):
    with pytest.raises(SettingsError, match="which project"):
        Client(URL, central[1], transport=central[0]).stages.list()


def test_address_and_key_come_from_the_variables_that_the_command_line_reads(monkeypatch, central: Any):
    monkeypatch.delenv("GUARD_CENTRAL", raising=False)
    with pytest.raises(SettingsError, match="GUARD_CENTRAL"):
        Client(api_key="k")
    monkeypatch.setenv("GUARD_CENTRAL", URL)
    with pytest.raises(SettingsError, match="GUARD_CENTRAL_KEY"):
        Client()
    monkeypatch.setenv("GUARD_CENTRAL_KEY", central[1])
    assert Client(transport=central[0]).projects.list() == []
    assert central[1] not in repr(Client())


async def test_the_waiting_client_works_where_a_loop_is_running_as_in_a_notebook(client: Client):
    assert [one.name for one in client.projects.list()] == ["shop"]


async def test_the_awaited_client_does_the_same(awaited: AsyncClient):
    await awaited.stages.create("front", rulesets=[ruleset(3)])
    checked = await awaited.stages.check_batch("front", ["hello", "one two three four"])
    assert [one.allowed for one in checked] == [True, False]
    with pytest.raises(Conflict, match="there is a stage 'front' already"):
        await awaited.stages.create("front")


class LosesAnswers(httpx.AsyncBaseTransport):
    """A network that loses the first answer to each change, after the server has given it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner, self.lost = inner, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if request.method != "GET" and self.lost % 2 == 0:
            self.lost += 1
            raise httpx.ReadError("the connection broke")
        self.lost += request.method != "GET"
        return response


def test_a_change_whose_answer_is_lost_is_done_once(client: Client, central: Any, monkeypatch):
    network = LosesAnswers(central[0])
    lossy = Client(URL, central[1], project="shop", transport=network)
    lossy._place.http.sleep = at_once  # type: ignore[assignment] - a test does not wait
    lossy.stages.create("front")
    lossy.policies.draft("support", POLICY.format(words=10))
    lossy.policies.publish("support")
    lossy.environments.put("production", "support", 1)
    lossy.environments.remove("production", "support")
    assert network.lost == 10
    assert len(client.stages.list()) == 1
    assert [one.sequence for one in client.environments.releases("production")] == [2, 1]
    assert len(client.policies.versions("support")) == 1


def test_a_key_that_was_made_and_never_seen_is_named_so_that_it_can_be_revoked(client: Client, central: Any):
    lossy = Client(URL, central[1], project="shop", transport=LosesAnswers(central[0]))
    lossy._place.http.sleep = at_once  # type: ignore[assignment] - a test does not wait
    with pytest.raises(Unreachable) as raised:
        lossy.keys.create("ann", "viewer")
    (made,) = client.keys.list()
    assert made.id in str(raised.value)
    client.keys.revoke(made.id)


async def at_once(seconds: float) -> None:
    """Sleeps not."""


def rooms(client: Any) -> dict[str, Any]:
    return {name: room for name, room in vars(client).items() if not name.startswith("_")}


def methods(room: Any) -> list[str]:
    return [name for name, one in inspect.getmembers_static(type(room)) if isinstance(one, Method)]


def test_both_clients_have_the_same_methods_with_signatures_and_words():
    waits, awaits = Client(URL, "k"), AsyncClient(URL, "k")
    names = [(room, name) for room, found in rooms(waits).items() for name in methods(found)]
    assert len(names) > 30
    for room, name in names:
        one, other = getattr(rooms(waits)[room], name), getattr(rooms(awaits)[room], name)
        assert inspect.signature(one) == inspect.signature(other)
        assert one.__doc__ == other.__doc__ is not None
        assert (inspect.iscoroutinefunction(one), inspect.iscoroutinefunction(other)) == (False, True)
    assert module.Client is guard.Client


def test_what_central_answers_is_what_the_records_hold(central: Any):
    schemas = central[0].app.openapi()["components"]["schemas"]
    kinds = [kind for kind in vars(records).values() if inspect.isclass(kind) and issubclass(kind, Record)]
    for kind in kinds:
        if kind is not Record:
            shown = set(schemas[kind.schema]["properties"])
            assert {one.name for one in fields(kind)} - {"policy"} == shown - {"policy"}, kind


def test_importing_guard_loads_no_http_client_and_asking_for_the_sdk_loads_neither_central_nor_pandas():
    program = """
import json, sys, guard
before = "httpx" in sys.modules
guard.Client
print(json.dumps([before, sorted({"pandas", "fastapi", "sqlalchemy", "guard.central"} & sys.modules.keys())]))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == [False, []]
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        guard.Cleint  # noqa: B018


def test_without_pandas_a_table_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SettingsError, match=r"stageguard\[pandas\]"):
        frame([])
