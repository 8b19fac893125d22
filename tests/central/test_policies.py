"""Policies from draft to force, tried, taken back, and on the organisation's floor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guard.policies.bundle import open_envelope
from guard.policies.signature import Signer, Trust
from tests.central.conftest import At

HERE = "/projects/shop/environments/production"
FLOOR = """
policy: house
floors: [no secrets]
stages:
  input:
    rulesets:
      - {name: no secrets, rules: [{metric: secrets, operator: not_empty}], action: {type: redact}}
"""


def text(words: float = 3, name: str = "support", more: str = "") -> str:
    return f"""
policy: {name}
stages:
  input:
    {more}
    rulesets:
      - name: long
        rules: [{{metric: word_count, operator: gt, target_value: {words}}}]
        action: {{type: override, choices: [Too long.]}}
"""


async def published(admin: At, *words: float) -> At:
    """A project with so many published versions of a policy."""
    await admin.project()
    for number in words:
        await admin.put("/projects/shop/policies/support", text=text(number))
        await admin.post("/projects/shop/policies/support/versions", why=f"{number} words")
    return admin


async def put(admin: At, version: int, **more: Any) -> dict[str, Any]:
    return await admin.put(f"{HERE}/policies/support", version=version, **more)


async def bundle(admin: At) -> Any:
    """What a proxy gets."""
    response = await admin.http.get(
        f"http://central/api/v1{HERE}/bundle", headers={"authorization": f"Bearer {admin.key}"}
    )
    signer: Signer = admin.http.app.state.central.signer
    return open_envelope(response.content, Trust([signer.public]), shown="central").bundle


async def test_a_draft_may_be_wrong_and_says_how_but_is_not_published(admin: At) -> None:
    await admin.project()
    draft = await admin.put("/projects/shop/policies/support", text=text().replace("word_count", "wordcount"))
    assert "did you mean 'word_count'" in draft["problems"][0]
    error = await admin.post("/projects/shop/policies/support/versions", 422)
    assert "support:8" in error["error"]["message"]
    await admin.put("/projects/shop/policies/support", text=text(name="other"))
    await admin.post("/projects/shop/policies/support/versions", 422)


async def test_a_published_version_stays_while_the_draft_goes_on(admin: At) -> None:
    await published(admin, 3, 9)
    versions = (await admin.get("/projects/shop/policies/support/versions"))["items"]
    assert [(one["version"], one["why"]) for one in versions] == [(2, "9 words"), (1, "3 words")]
    assert (await admin.get("/projects/shop/policies/support/versions/1"))["text"] == text(3)


async def test_the_difference_of_two_versions_is_told_in_sentences(admin: At) -> None:
    await published(admin, 3, 9)
    told = await admin.get("/projects/shop/policies/support/diff", params={"old": 1, "new": 2})
    assert [change["where"] for change in told["changes"]] == ["input / long"]
    assert "less often" in told["changes"][0]["text"]
    await admin.put("/projects/shop/policies/support", text=text(9))
    assert (await admin.get("/projects/shop/policies/support/diff"))["changes"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "policy: support\nmetrics: {mine: {kind: code, function: 'os:getcwd'}}\n",
        "policy: support\nextends: ../other\n",
        "policy: support\nextends: /etc/passwd\n",
        "policy: support\nmetrics: {rivals: {kind: keywords, file: /etc/passwd}}\n",
        "policy: support\nmetrics: {rivals: {kind: keywords, file: ../../../etc/passwd}}\n",
        "policy: [",
    ],
)
async def test_a_policy_from_the_centre_runs_no_code_and_reads_no_files(admin: At, wrong: str) -> None:
    await admin.project()
    draft = await admin.put("/projects/shop/policies/support", text=wrong)
    assert len(draft["problems"]) == 1 and "root:" not in draft["problems"][0]
    await admin.post("/projects/shop/policies/support/versions", 422)


async def test_what_is_put_in_force_is_in_the_next_bundle(admin: At) -> None:
    await published(admin, 3)
    await admin.get(HERE, 404)
    await admin.put(f"{HERE}/policies/support", 404, version=2)
    released = await put(admin, 1, why="first")
    got = await bundle(admin)
    assert (released["sequence"], got.sequence, got.project, got.environment) == (1, 1, "shop", "production")
    assert [(one.policy, one.version) for one in got.releases] == [("support", 1)]
    assert list(got.texts.values()) == [text(3)]


async def test_staging_and_production_are_apart(admin: At) -> None:
    await published(admin, 3)
    await admin.put("/projects/shop/environments/staging/policies/support", version=1)
    await admin.get(HERE, 404)
    await admin.get("/projects/shop/environments/elsewhere", 422)


async def test_one_call_takes_back_what_was_released_as_a_new_release(admin: At) -> None:
    await published(admin, 3, 9)
    await put(admin, 1)
    await put(admin, 2)
    back = await admin.post(f"{HERE}/rollback", why="too many complaints")
    assert (back["sequence"], back["policies"]["support"]["version"]) == (3, 1)
    again = await admin.post(f"{HERE}/rollback", to=2)
    assert (again["sequence"], again["policies"]["support"]["version"]) == (4, 2)
    await admin.post(f"{HERE}/rollback", 404, to=99)
    listed = (await admin.get(f"{HERE}/releases"))["items"]
    assert [one["action"] for one in listed] == ["roll back", "roll back", "put in force", "put in force"]


async def test_a_change_of_keys_is_not_what_a_rollback_goes_back_to(admin: At) -> None:
    await published(admin, 3, 9)
    await put(admin, 1)
    await put(admin, 2)
    await admin.post("/projects/shop/apps", name="web")
    await admin.key_for("app", app="web")
    assert (await admin.post(f"{HERE}/rollback"))["policies"]["support"]["version"] == 1


async def test_a_candidate_is_tried_and_then_put_in_force_or_ended(admin: At) -> None:
    await published(admin, 3, 9)
    await admin.put(f"{HERE}/policies/support/candidate", 409, version=2)
    await put(admin, 1)
    await admin.put(f"{HERE}/policies/support/candidate", 409, version=1)
    await admin.put(f"{HERE}/policies/support/candidate", 422, version=2, percent=101)
    await admin.put(f"{HERE}/policies/support/candidate", version=2, percent=10, by="session")
    (release,) = (await bundle(admin)).releases
    assert (release.version, release.candidate.version, release.candidate.percent) == (1, 2, 10.0)
    ended = await admin("DELETE", f"{HERE}/policies/support/candidate", params={"why": "worse"})
    assert ended["policies"]["support"] == {"version": 1, "candidate": None}
    await admin.put(f"{HERE}/policies/support/candidate", version=2, mode="shadow")
    assert (await put(admin, 2))["policies"]["support"] == {"version": 2, "candidate": None}


async def test_apps_and_their_keys_travel_as_hashes_and_leave_when_revoked(admin: At) -> None:
    await published(admin, 3)
    await put(admin, 1)
    await admin.post("/projects/shop/apps", name="web")
    made = await admin.post("/projects/shop/keys", name="web", role="app", app="web")
    got = await bundle(admin)
    assert len(got.apps["web"]) == 1
    assert made["key"] not in got.model_dump_json()
    await admin.post(f"/projects/shop/keys/{made['id']}/revoke")
    last = await bundle(admin)
    assert (last.apps, last.sequence > got.sequence) == ({"web": ()}, True)


async def test_a_floor_is_under_everything_in_force_at_once_and_projects_cannot_remove_it(admin: At) -> None:
    await published(admin, 3)
    await put(admin, 1)
    before = (await bundle(admin)).sequence
    await admin.put("/floor", text=FLOOR, why="policy 12")
    got = await bundle(admin)
    assert (got.texts[got.floor], got.sequence) == (FLOOR, before + 1)
    editor = await admin.key_for("editor")
    await editor.put("/floor", 403, text="")
    boss = await admin.key_for("admin")
    await boss.put("/floor", 403, text="")
    hollow = text(more="on_failure: allow")
    draft = await editor.put("/projects/shop/policies/support", text=hollow)
    assert "hollow out the floor 'no secrets'" in draft["problems"][0]
    await editor.post("/projects/shop/policies/support/versions", 422)


async def test_a_floor_that_what_is_in_force_cannot_stand_on_is_refused_with_the_names(admin: At) -> None:
    await published(admin, 3)
    await admin.put("/projects/shop/policies/support", text=text(more="on_failure: allow"))
    await admin.post("/projects/shop/policies/support/versions")
    await put(admin, 2)
    error = await admin.put("/floor", 422, text=FLOOR)
    assert "shop/production: " in error["error"]["message"]
    await admin.get("/floor", 404)
    await admin.put("/floor", 422, text="policy: [")


async def test_a_version_published_before_the_floor_cannot_come_in_force_against_it(admin: At) -> None:
    await published(admin, 3)
    await admin.put("/projects/shop/policies/support", text=text(more="on_failure: allow"))
    await admin.post("/projects/shop/policies/support/versions")
    await admin.put("/floor", text=FLOOR)
    await admin.put(f"{HERE}/policies/support", 422, version=2)


async def test_a_stage_stands_on_the_floor_too_even_while_it_is_paused(admin: At) -> None:
    await admin.project()
    await admin.post("/projects/shop/stages", name="front")
    await admin.put("/floor", text=FLOOR)
    secret = "key sk-proj-" + "aB3dE5fG7hJ9kL1m" * 3
    for _ in range(2):
        checked = await admin.post("/projects/shop/stages/front/check", input=secret)
        assert (checked["status"], checked["ruleset"]) == ("triggered", "no secrets")
        assert "aB3dE5" not in checked["texts"][0]
        await admin.post("/projects/shop/stages/front/pause")
    await admin.post("/projects/shop/stages/front/versions", 422, document={"on_failure": "allow"})


async def test_an_unchanged_bundle_is_not_sent_again_and_a_new_one_wakes_who_waits(admin: At) -> None:
    await published(admin, 3, 9)
    await put(admin, 1)
    url, headers = f"http://central/api/v1{HERE}/bundle", {"authorization": f"Bearer {admin.key}"}
    first = await admin.http.get(url, headers=headers)
    headers["if-none-match"] = first.headers["etag"]
    assert (await admin.http.get(url, headers=headers)).status_code == 304
    assert (await admin.http.get(url, headers=headers, params={"wait": 0.2})).status_code == 304
    waiting = asyncio.create_task(admin.http.get(url, headers=headers, params={"wait": 30}))
    await asyncio.sleep(0.1)
    await put(admin, 2)
    response = await asyncio.wait_for(waiting, 10)
    assert response.status_code == 200 and response.headers["etag"] != first.headers["etag"]


async def test_only_a_proxys_key_and_an_admins_fetch_bundles(admin: At) -> None:
    await published(admin, 3)
    await put(admin, 1)
    for role, status in (("viewer", 403), ("editor", 403), ("proxy", 200)):
        await (await admin.key_for(role)).get(f"{HERE}/bundle", status)
