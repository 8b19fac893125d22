"""What Galileo's clients are answered on the wire, without the clients: keys, tokens, roles, floors, odd requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from guard.central.compat.galileo import names, token
from guard.policies import LoadedPolicy
from tests.central.conftest import At

LONG = "one two three four five"
OVERRIDE = {"type": "OVERRIDE", "choices": ["Too long."]}


def ruleset(metric: str = "input_word_count", operator: str = "gt", target: Any = 3, **more: Any) -> dict[str, Any]:
    rule = {"metric": metric, "operator": operator, "target_value": target}
    return {"rules": [rule], "action": OVERRIDE, **more}


async def call(at: At, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    given = headers or {"galileo-api-key": at.key}
    return await at.http.request(method, f"http://central{path}", json=body, headers=given)


async def invoke(at: At, *rulesets: dict, **more: Any) -> dict[str, Any]:
    body = {"payload": {"input": LONG}, "prioritized_rulesets": rulesets, "project_name": "shop", "stage_name": "local"}
    answer = await call(at, "POST", "/protect/invoke", {**body, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def stage(at: At, *rulesets: dict, name: str = "front") -> dict[str, Any]:
    project = (await at.project()).http and (await at.get("/projects/shop"))["id"]
    body = {"name": name, "type": "central", "prioritized_rulesets": rulesets, "project_id": project}
    made = await call(at, "POST", f"/projects/{project}/stages", body)
    assert made.status_code == 200, made.text
    return made.json()


async def test_a_key_itself_or_the_token_of_a_login_opens_every_route_with_and_without_a_version(admin: At) -> None:
    bearer = (await call(admin, "POST", "/v2/login/api_key", {"api_key": admin.key})).json()["access_token"]
    assert len(bearer.split(".")) == 3
    users = [
        (await call(admin, "GET", path, None, **headers)).json()
        for path in ("/current_user", "/v1/current_user", "/v2/current_user")
        for headers in (
            {"authorization": f"Bearer {bearer}"},
            {"authorization": f"Bearer {admin.key}"},
            {"galileo-api-key": admin.key},
        )
    ]
    assert all(user == users[0] for user in users)
    assert users[0]["role"] == "admin"


async def test_a_token_ends_with_its_key(admin: At) -> None:
    viewer = await admin.key_for("viewer", project=None)
    bearer = (await call(admin, "POST", "/login/api_key", {"api_key": viewer.key})).json()["access_token"]
    key = next(one for one in (await admin.get("/keys"))["items"] if one["name"] == "viewer")
    await admin.post(f"/keys/{key['id']}/revoke")
    assert (await call(admin, "GET", "/current_user", authorization=f"Bearer {bearer}")).status_code == 401
    assert (await call(admin, "POST", "/login/api_key", {"api_key": viewer.key})).status_code == 401


@pytest.mark.parametrize(
    "change",
    [lambda token: token[:-2] + "xx",
     lambda token: "x" + token,
     lambda token: token.replace(".", "-"),
     lambda token: "..",
     lambda token: "\u00fc.\u00fc.\u00fc"],
)  # fmt: skip
def test_a_token_that_central_did_not_sign_is_nobodys(change: Callable[[str], str]) -> None:
    secret, now = b"s" * 32, time.time()
    good = token.issue(secret, "key", now)
    assert token.holder(secret, good, now) == "key"
    assert token.holder(secret, change(good), now) is None
    assert token.holder(b"t" * 32, good, now) is None
    assert token.holder(secret, good, now + token.LASTS) is None


async def test_errors_say_what_is_wrong_where_the_client_looks(admin: At) -> None:
    assert (await call(admin, "GET", "/current_user", x="y")).json()["detail"].startswith("a key is required")
    made = await stage(admin, ruleset())
    twice = await call(admin, "POST", f"/projects/{made['project_id']}/stages", {"name": "front", "type": "central"})
    assert (twice.status_code, twice.json()["detail"]) == (409, "there is a stage 'front' already")
    wrong = await call(admin, "POST", "/protect/invoke", {"payload": {"input": ""}, "stage_id": made["id"]})
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["msg"].endswith("holds neither input nor output; give one")


async def test_a_stage_of_galileos_is_centrals_and_says_so_in_guards_words(admin: At) -> None:
    made = await stage(admin, ruleset("Input PII (SLM)", "contains", "financial_info"))
    version = await admin.get("/projects/shop/stages/front/versions/1")
    (kept,) = version["document"]["rulesets"]
    assert kept["rules"] == [
        {"metric": "galileo_pii", "of": "input", "operator": "any",
         "target_value": ["account_info", "credit_card_info"]}
    ]  # fmt: skip
    await admin.post("/projects/shop/stages/front/pause", why="an incident")
    found = await call(admin, "GET", f"/projects/{made['project_id']}/stages?stage_id={made['id']}")
    assert found.json()["paused"]


async def test_a_stage_that_central_made_answers_a_galileo_client_too(admin: At) -> None:
    await admin.project()
    rules = [{"metric": "word_count", "operator": "gt", "target_value": 3}]
    action = {"type": "override", "choices": ["Too long."]}
    document = {"rulesets": [{"name": "long", "rules": rules, "action": action}]}
    made = await admin.post("/projects/shop/stages", name="front", document=document)
    answer = await invoke(admin, stage_id=made["id"])
    assert (answer["status"], answer["text"]) == ("TRIGGERED", "Too long.")
    assert answer["metric_results"]["word_count"]["value"] == 5


async def test_an_app_may_invoke_and_nothing_else(admin: At) -> None:
    made = await stage(admin, ruleset())
    await admin.post("/projects/shop/apps", name="web")
    web = await admin.key_for("app", app="web")
    assert (await invoke(web, stage_id=made["id"]))["status"] == "TRIGGERED"
    for path in (f"/projects/{made['project_id']}/stages", f"/projects/{made['project_id']}/stages/{made['id']}"):
        assert (await call(web, "POST", path, {"name": "x"})).status_code == 403
    body = {"payload": {"input": "x"}, "project_name": "shop", "stage_name": "new"}
    assert (await call(web, "POST", "/protect/invoke", body)).status_code == 403


async def test_a_key_of_another_project_sees_nothing_of_this_one(admin: At) -> None:
    made = await stage(admin, ruleset())
    await admin.project("other")
    other = await admin.key_for("editor", "other")
    assert (
        await call(other, "POST", "/protect/invoke", {"payload": {"input": "x"}, "stage_id": made["id"]})
    ).status_code == 404
    assert (await call(other, "GET", f"/projects/{made['project_id']}")).status_code == 404
    assert (await call(other, "GET", "/projects?project_name=shop")).json() == []
    assert [one["name"] for one in (await call(other, "GET", "/projects")).json()] == ["other"]


@pytest.mark.parametrize(
    ("metric", "operator", "target"),
    [("input_word_count", "contains", "5"), ("input_word_count", "gt", "3"), ("input_word_count", "empty", None),
     ("input_user", "gt", 0), ("input_urls", "gt", 0), ("input_urls", "empty", []), ("input_urls", "any", [])],
)  # fmt: skip
async def test_a_pairing_that_means_nothing_is_false(admin: At, metric: str, operator: str, target: Any) -> None:
    answer = await invoke(admin, ruleset(metric, operator, target))
    assert answer["status"] == "NOT_TRIGGERED"
    (result,) = answer["ruleset_results"][0]["rule_results"]
    assert (result["operator"], result["target_value"]) == (operator, target)


async def test_all_of_nothing_is_true_and_true_is_one(admin: At) -> None:
    assert (await invoke(admin, ruleset("input_urls", "all", [])))["status"] == "TRIGGERED"
    assert (await invoke(admin, ruleset(target=True)))["status"] == "TRIGGERED"


async def test_a_metric_that_nobody_knows_fails_and_names_the_nearest(admin: At) -> None:
    answer = await invoke(admin, ruleset("input_toxcity"))
    assert (answer["status"], answer["text"]) == ("FAILED", LONG)
    assert "did you mean 'toxicity'?" in answer["metric_results"]["input_toxcity"]["error_message"]


FLOOR = """
policy: floor
floors: [essays]
stages:
  input:
    rulesets:
      - name: essays
        rules: [{metric: word_count, operator: gt, target_value: 4}]
        action: {type: override, choices: [The organisation says no.]}
"""


async def test_a_stage_with_metrics_that_only_galileo_has_is_made_ready_once(admin: At, monkeypatch: Any) -> None:
    made = []
    loaded = LoadedPolicy.__init__
    monkeypatch.setattr(LoadedPolicy, "__init__", lambda self, *given: made.append(1) or loaded(self, *given))
    await admin.project()
    for _ in range(3):
        await invoke(admin, ruleset("input_pii", "any", ["ssn"]), ruleset("completeness"))
    assert len(made) == 1
    await invoke(admin, ruleset("input_pii", "any", ["email"]), ruleset("completeness"))
    assert len(made) == 2


def test_a_projects_own_metric_takes_the_place_of_one_that_guard_has_not_in_every_spelling() -> None:
    for name in ("Input SQL Injection", "Input SQL Injection (SLM)", "input_sql_injection_luna"):
        assert names.known(name, {}).metric == "galileo.sql_injection"
        assert "sql_injection" in names.of_projects([name], {})
        assert names.known(name, {"sql_injection"}) == ("sql_injection", "input")
    assert names.of_projects(["Input Toxicity"], {"toxicity"}) == set(), "Guard's own are looked up nowhere"


async def test_the_organisations_floor_holds_under_galileos_stages(admin: At) -> None:
    await admin.put("/floor", text=FLOOR, why="a test")
    answer = await invoke(admin, ruleset(target=100))
    assert (answer["status"], answer["text"]) == ("TRIGGERED", "The organisation says no.")
    assert [one["status"] for one in answer["ruleset_results"]] == ["TRIGGERED", "NOT_TRIGGERED"]
    failed = await invoke(admin, ruleset("completeness"), payload={"input": "short", "output": "short"})
    assert (failed["status"], failed["text"]) == ("FAILED", "short")
