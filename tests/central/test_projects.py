"""Projects, apps and keys, and what each role may do."""

from __future__ import annotations

import time

import pytest

from guard.central.settings import CentralSettings
from tests.central.conftest import At


async def test_a_project_is_found_by_name_and_by_id(admin: At) -> None:
    made = await admin.post("/projects", name="shop", description="The web shop", why="new team")
    assert await admin.get("/projects/shop") == await admin.get(f"/projects/{made['id']}") == made
    await admin.get("/projects/other", 404)
    await admin.post("/projects", 409, name="shop")


async def test_a_name_that_looks_like_an_id_or_that_no_database_keeps_is_refused(admin: At) -> None:
    for name in ("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "a\0b", "a\nb", "", "x" * 201):
        await admin.post("/projects", 422, name=name)
    await admin.post("/projects", 422, name="shop", description="zero \0 byte")
    await admin.get("/projects/a%00b", 422)


async def test_pages_join_without_gap_or_overlap(admin: At) -> None:
    for number in range(7):
        await admin.post("/projects", name=f"p{number}")
    names, cursor = [], None
    while True:
        page = await admin.get("/projects", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) <= 3
        names += [one["name"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert names == [f"p{number}" for number in range(7)]


async def test_a_key_is_shown_once_and_kept_as_a_hash(admin: At, settings: CentralSettings) -> None:
    await admin.project()
    made = await admin.post("/projects/shop/keys", name="ci", role="editor")
    listed = await admin.get("/projects/shop/keys")
    assert made["id"] in made["key"]
    assert [key["id"] for key in listed["items"]] == [made["id"]]
    assert made["key"] not in str(listed)
    assert made["key"] not in str(await admin.get("/audit"))


async def test_without_a_key_or_with_a_wrong_one_nothing_is_told(admin: At) -> None:
    await admin.project()
    prefix, _, _ = admin.key.rpartition("-")
    for key in ("", "gk-", "nonsense", f"{prefix}-wrong", admin.key[:-1], admin.key + "x"):
        await At(admin.http, key).get("/projects", 401)
    assert (await admin.http.get("http://central/api/v1/projects")).status_code == 401


async def test_a_revoked_key_and_an_expired_one_open_nothing(admin: At, monkeypatch: pytest.MonkeyPatch) -> None:
    await admin.project()
    made = await admin.post("/projects/shop/keys", name="v", role="viewer", expires_at=time.time() + 100)
    viewer = At(admin.http, made["key"])
    await viewer.get("/projects/shop")
    real = time.time
    monkeypatch.setattr("guard.central.api.common.time.time", lambda: real() + 101)
    await viewer.get("/projects/shop", 401)
    monkeypatch.undo()
    await admin.post(f"/projects/shop/keys/{made['id']}/revoke", why="left the team")
    await viewer.get("/projects/shop", 401)
    await admin.post(f"/projects/shop/keys/{made['id']}/revoke", 409)


async def test_a_rotated_key_goes_on_for_its_grace_and_no_longer(admin: At) -> None:
    await admin.project()
    made = await admin.post("/projects/shop/keys", name="v", role="viewer")
    at_once = await admin.post(f"/projects/shop/keys/{made['id']}/rotate")
    await At(admin.http, made["key"]).get("/projects/shop", 401)
    later = await admin.post(f"/projects/shop/keys/{at_once['id']}/rotate", grace=600)
    for key in (at_once["key"], later["key"]):
        await At(admin.http, key).get("/projects/shop")
    assert (later["role"], later["name"]) == ("viewer", "v")


async def test_a_key_of_one_project_does_not_learn_of_another(admin: At) -> None:
    await admin.project()
    await admin.post("/projects", name="bank")
    boss = await admin.key_for("admin")
    assert [one["name"] for one in (await boss.get("/projects"))["items"]] == ["shop"]
    unknown = await boss.get("/projects/nowhere", 404)
    assert await boss.get("/projects/bank", 404) == unknown
    await boss.post("/projects/bank/keys", 404, name="mine", role="admin")
    await boss.post("/projects", 403, name="mine")
    await boss.post("/keys", 403, name="mine", role="admin")
    assert {line["subject"] for line in (await boss.get("/audit"))["items"]}.isdisjoint({"bank"})
    await boss.get("/audit", 404, params={"project": "bank"})


@pytest.mark.parametrize(
    ("role", "read", "write", "rule"),
    [("viewer", 200, 403, 403), ("editor", 200, 201, 403), ("admin", 200, 201, 201), ("app", 403, 403, 403),
     ("proxy", 403, 403, 403)],
)  # fmt: skip
async def test_a_role_may_do_its_own_and_no_more(admin: At, role: str, read: int, write: int, rule: int) -> None:
    await admin.project()
    await admin.post("/projects/shop/apps", name="web")
    one = await admin.key_for(role, **({"app": "web"} if role == "app" else {}))
    await one.get("/projects/shop/apps", read)
    await one.post("/projects/shop/stages", write, name="front")
    await one.post("/projects/shop/apps", rule, name="new")


@pytest.mark.parametrize(
    "wrong",
    [{"role": "app"}, {"role": "viewer", "app": "web"}, {"role": "root"}, {"role": "app", "app": "gone"},
     {"role": "viewer", "expires_at": 5.0}],
)  # fmt: skip
async def test_a_key_that_could_mean_nothing_is_refused(admin: At, wrong: dict) -> None:
    await admin.project()
    await admin.post("/projects/shop/apps", name="web")
    status = 404 if wrong.get("app") == "gone" else 422
    await admin.post("/projects/shop/keys", status, name="k", **wrong)


async def test_an_error_never_repeats_what_was_sent(admin: At) -> None:
    response = await admin.http.post(
        "http://central/api/v1/projects", json={"name": ["gk-secret"]}, headers={"authorization": f"Bearer {admin.key}"}
    )
    assert response.status_code == 422
    assert "gk-secret" not in response.text
    assert response.json()["error"]["param"] == "name"
