"""Stages at the centre: versions that stay, pausing, checks, and the organisation's floor under them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from guard.central.central import open_database
from guard.central.settings import CentralSettings
from guard.errors import StoreError
from tests.central.conftest import At

STAGE = "/projects/shop/stages/front"


def ruleset(name: str = "long", words: float = 3, **action: Any) -> dict[str, Any]:
    return {
        "name": name,
        "rules": [{"metric": "word_count", "operator": "gt", "target_value": words}],
        "action": action or {"type": "override", "choices": ["Too long."]},
    }


async def with_stage(admin: At, **document: Any) -> dict[str, Any]:
    await admin.project()
    return await admin.post(
        "/projects/shop/stages", name="front", document={"rulesets": [ruleset()], **document}, why="first"
    )


async def test_a_check_uses_the_newest_version_or_the_one_that_it_names(admin: At) -> None:
    await with_stage(admin)
    second = await admin.post(f"{STAGE}/versions", document={"rulesets": [ruleset(words=100)]}, why="too strict")
    assert second["version"] == 2
    text = "one two three four"
    assert (await admin.post(f"{STAGE}/check", input=text))["status"] == "not_triggered"
    first = await admin.post(f"{STAGE}/check", input=text, version=1)
    assert (first["status"], first["reply"], first["version"]) == ("triggered", "Too long.", 1)
    await admin.post(f"{STAGE}/check", 404, input=text, version=3)


async def test_versions_are_listed_with_who_and_why_and_the_same_content_has_the_same_revision(admin: At) -> None:
    await with_stage(admin)
    await admin.post(f"{STAGE}/versions", document={"rulesets": [ruleset(words=9)]}, why="too strict")
    await admin.post(f"{STAGE}/versions", document={"rulesets": [ruleset()]}, why="back")
    page = await admin.get(f"{STAGE}/versions", params={"limit": 2})
    older = await admin.get(f"{STAGE}/versions", params={"cursor": page["next"]})
    versions = page["items"] + older["items"]
    assert [(one["version"], one["why"]) for one in versions] == [(3, "back"), (2, "too strict"), (1, "first")]
    assert versions[0]["revision"] == versions[2]["revision"] != versions[1]["revision"]
    assert versions[0]["created_by"].startswith("admin (")


async def test_a_paused_stage_decides_nothing_until_it_is_resumed(admin: At) -> None:
    await with_stage(admin)
    assert (await admin.post(f"{STAGE}/pause", why="incident"))["paused"]
    assert (await admin.post(f"{STAGE}/check", input="one two three four"))["status"] == "paused"
    await admin.post(f"{STAGE}/resume")
    assert (await admin.post(f"{STAGE}/check", input="one two three four"))["status"] == "triggered"


async def test_a_local_stage_is_checked_by_the_rulesets_that_come_along(admin: At) -> None:
    await admin.project()
    await admin.post("/projects/shop/stages", name="front", type="local")
    assert (await admin.post(f"{STAGE}/check", input="one two three four"))["status"] == "skipped"
    checked = await admin.post(f"{STAGE}/check", input="one two three four", rulesets=[ruleset()])
    assert checked["status"] == "triggered"
    document = {"rulesets": [ruleset()]}
    await admin.post("/projects/shop/stages", 422, name="other", type="local", document=document)
    await admin.post(f"{STAGE}/versions", 422, document=document)


async def test_rulesets_that_come_along_do_not_count_for_a_central_stage(admin: At) -> None:
    await with_stage(admin)
    await admin.post(f"{STAGE}/check", 422, input="x", rulesets=[ruleset()])


@pytest.mark.parametrize(
    "wrong",
    [{"metric": "toxcity", "operator": "gt", "target_value": 0.5},
     {"metric": "word_count", "operator": "contains", "target_value": "x"},
     {"metric": "word_count", "operator": "gt", "target_value": "many"}],
)  # fmt: skip
async def test_rules_that_can_mean_nothing_are_refused_before_they_are_kept(admin: At, wrong: dict) -> None:
    await admin.project()
    document = {"rulesets": [{"name": "r", "rules": [wrong]}]}
    answer = await admin.post("/projects/shop/stages", 422, name="front", document=document)
    assert answer["error"]["param"].startswith("rulesets.0.rules.0")
    assert (await admin.get("/projects/shop/stages"))["items"] == []


async def test_an_app_may_have_texts_checked_under_its_own_name_only(admin: At) -> None:
    await with_stage(admin)
    await admin.post("/projects/shop/apps", name="web")
    web = await admin.key_for("app", app="web")
    assert (await web.post(f"{STAGE}/check", input="hello", labels={"app": "other"}))["allowed"]
    await web.get(STAGE, 403)


async def test_a_version_cannot_be_changed_even_by_the_database(admin: At, settings: CentralSettings) -> None:
    await with_stage(admin)
    database = await open_database(settings.database)
    for statement in (
        "UPDATE central_stage_versions SET document = '{}'",
        "DELETE FROM central_audit",
        "UPDATE central_audit SET why = 'because'",
    ):
        with pytest.raises((StoreError, DatabaseError), match="only grows"):
            async with database.writing() as connection:
                await connection.exec_driver_sql(statement)
    await database.close()


async def test_everything_that_was_changed_stands_in_the_log_with_who_and_why(admin: At) -> None:
    await with_stage(admin)
    editor = await admin.key_for("editor")
    await editor.post(f"{STAGE}/pause", why="incident 7")
    lines = (await admin.get("/audit"))["items"]
    assert [line["action"] for line in lines] == [
        "pause stage", "create key", "create stage", "create project", "create key",
    ]  # fmt: skip
    assert (lines[0]["who"], lines[0]["why"], lines[0]["subject"]) == ("editor", "incident 7", "front")
    assert await admin.get("/audit/check") == {"whole": True, "broken_at": None}


async def test_a_line_that_was_tampered_with_is_found(admin: At, settings: CentralSettings) -> None:
    await with_stage(admin)
    database = await open_database(settings.database)
    async with database.writing() as connection:
        drop = "DROP TRIGGER central_audit_no_update" if database.dialect == "sqlite" else (
            "DROP TRIGGER central_audit_grows ON central_audit"
        )  # fmt: skip
        await connection.exec_driver_sql(drop)
        await connection.exec_driver_sql("UPDATE central_audit SET who = 'nobody' WHERE place = 2")
    await database.close()
    assert await admin.get("/audit/check") == {"whole": False, "broken_at": 2}
