"""Code metrics at the centre: uploaded, built in the background, named by rules, and dangerous to nobody."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from guard.central.settings import CentralSettings
from tests.central.conftest import At, central, first_key

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there are walls only on Linux"),
]
OVERRIDE = {"type": "OVERRIDE", "choices": ["No."]}
METRICS = "/projects/shop/metrics"
SHOUTING = """
def scorer_fn(*, index, node_input, node_output, **kwargs):
    letters = [letter for letter in node_input if letter.isalpha()]
    return sum(letter.isupper() for letter in letters) / max(len(letters), 1)
"""


@pytest.fixture
async def admin(settings: CentralSettings) -> AsyncIterator[At]:
    """The organisation's admin at a central with a project, and with little time and memory for code."""
    async with central(settings.model_copy(update={"code_seconds": 1.0, "code_memory": 256})) as http:
        yield await At(http, await first_key(settings)).project()


async def upload(admin: At, name: str = "shouting", code: str = SHOUTING, **package: Any) -> dict[str, Any]:
    """The metric once it is built, or could not be."""
    await admin.post(METRICS, name=name, package={"code": code, **package}, why="we need it")
    return await once_built(admin, name)


async def once_built(admin: At, name: str = "shouting") -> dict[str, Any]:
    while True:
        built = await admin.get(f"{METRICS}/{name}")
        if built["status"] not in ("PENDING", "BUILDING"):
            return built
        await asyncio.sleep(0.05)


async def with_stage(admin: At, metric: str = "shouting", status: int | None = None, **rule: Any) -> Any:
    rules = [{"metric": metric, "operator": "gt", "target_value": 0.5, **rule}]
    rulesets = [{"name": "own", "rules": rules, "action": {"type": "override", "choices": ["No."]}}]
    return await admin.post("/projects/shop/stages", status, name="front", document={"rulesets": rulesets})


async def check(admin: At, text: str = "STOP THAT") -> dict[str, Any]:
    return await admin.post("/projects/shop/stages/front/check", input=text)


async def test_an_uploaded_metric_is_built_and_rules_name_it_like_any_other(admin: At) -> None:
    built = await upload(admin)
    assert (built["status"], built["version"], built["log"]) == ("READY", 1, "")
    assert {wall for wall, why in built["walls"].items() if not why} >= {"limits", "files", "calls"}
    await with_stage(admin)
    assert (await check(admin))["status"] == "triggered"
    assert (await check(admin, "please stop that"))["status"] == "not_triggered"


@pytest.mark.parametrize(
    "line", ["while True: pass", "return bytearray(1 << 30)", "return None", "import os; os._exit(1)"]
)
async def test_a_metric_that_fails_blocks_and_leaves_the_other_metrics_as_they_were(admin: At, line: str) -> None:
    await upload(admin)
    built = await upload(admin, "bad", f"def f(text):\n    {line}", function="f")
    assert built["status"] == "READY"
    await with_stage(admin, "bad")
    (bad,) = (await check(admin))["measurements"]
    assert "error" in bad, bad
    assert not (await check(admin))["allowed"]
    rulesets = [{"name": "own", "rules": [{"metric": "shouting", "operator": "gt", "target_value": 0.5}]}]
    await admin.post("/projects/shop/stages/front/versions", document={"rulesets": rulesets})
    assert (await check(admin))["status"] == "triggered"


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ({"code": "def scorer_fn(:"}, "SyntaxError"),
        ({"code": "import nothing_like_it"}, "ModuleNotFoundError"),
        ({"code": "def f(text): return 1"}, "no function 'scorer_fn'"),
        ({"code": SHOUTING + "def score_type(): return str"}, "its kind is 'label'"),
    ],
)
async def test_code_that_cannot_be_used_is_failed_with_its_log_and_its_rules_fail(admin: At, package, told) -> None:
    built = await upload(admin, **package)
    assert built["status"] == "FAILED"
    assert told in built["log"]
    await with_stage(admin)
    checked = await check(admin, "please stop that")
    assert not checked["allowed"]
    assert "FAILED" in checked["measurements"][0]["error"]


async def test_while_a_new_version_cannot_be_used_the_one_before_stays_in_force(admin: At) -> None:
    await upload(admin)
    await with_stage(admin)
    assert (await upload(admin, code="def scorer_fn(:"))["version"] == 2
    assert (await check(admin))["status"] == "triggered"
    await upload(admin, code="def scorer_fn(*, index, node_input, node_output): return 0")
    assert (await check(admin))["status"] == "not_triggered"
    assert [one["version"] for one in (await admin.get(f"{METRICS}/shouting/versions"))["items"]] == [3, 2, 1]
    assert (await admin.get(f"{METRICS}/shouting", params={"version": 1}))["package"]["code"] == SHOUTING
    assert [one["version"] for one in (await admin.get(METRICS))["items"]] == [3]


async def test_requirements_are_installed_for_this_metric_only(admin: At, tmp_path: Path, monkeypatch) -> None:
    wheel(tmp_path / "wheels", "shoutlib", "LEVEL = 0.75\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code = "import shoutlib\ndef scorer_fn(*, index, node_input, node_output): return shoutlib.LEVEL"
    built = await upload(admin, code=code, requirements=["shoutlib>=1"])
    assert (built["status"], built["log"]) == ("READY", "")
    await with_stage(admin)
    assert (await check(admin))["measurements"][0]["value"] == 0.75
    other = await upload(admin, "other", code)
    assert "ModuleNotFoundError" in other["log"]


async def test_what_a_package_would_run_at_every_start_of_python_runs_behind_the_walls(
    admin: At, tmp_path: Path, monkeypatch
) -> None:
    found = tmp_path / "found"
    wheel(tmp_path / "wheels", "shoutlib", "", pth=f"import pathlib; pathlib.Path({str(found)!r}).write_text('in')\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert (await upload(admin, requirements=["shoutlib"]))["status"] == "READY"
    assert not found.exists()


async def test_a_requirement_that_is_not_found_is_failed_with_pips_words_and_tried_again_when_asked(
    admin: At, tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    built = await upload(admin, requirements=["shoutlib"])
    assert built["status"] == "FAILED"
    assert "No matching distribution found for shoutlib" in built["log"]
    wheel(tmp_path / "wheels", "shoutlib", "")
    assert (await admin.post(f"{METRICS}/shouting/build", why="it is there now"))["status"] in ("PENDING", "BUILDING")
    assert (await once_built(admin))["status"] == "READY"


@pytest.mark.parametrize(
    "requirement",
    ["shoutlib @ https://example.com/shoutlib.whl", "./shoutlib", "--find-links=https://example.com", "a b"],
)
async def test_requirements_from_elsewhere_than_the_index_are_refused(admin: At, requirement: str) -> None:
    package = {"code": SHOUTING, "requirements": [requirement]}
    await admin.post(METRICS, 422, name="shouting", package=package)


async def test_only_admins_upload_code_and_a_built_in_name_is_refused(admin: At) -> None:
    editor = await admin.key_for("editor")
    await editor.post(METRICS, 403, name="shouting", package={"code": SHOUTING})
    await admin.post(METRICS, 422, name="pii", package={"code": SHOUTING})
    assert (await upload(admin))["status"] == "READY"
    assert (await editor.get(f"{METRICS}/shouting"))["status"] == "READY"
    lines = (await admin.get("/audit"))["items"]
    assert ("upload metric", "shouting", "we need it") in [(one["action"], one["subject"], one["why"]) for one in lines]


async def test_another_project_knows_nothing_of_it_and_no_policy_for_proxies_may_name_it(admin: At) -> None:
    await upload(admin)
    await admin.post("/projects", name="other")
    rulesets = [{"name": "own", "rules": [{"metric": "shouting", "operator": "gt", "target_value": 0.5}]}]
    await admin.post("/projects/other/stages", 422, name="front", document={"rulesets": rulesets})
    rule = "{metric: shouting, operator: gt, target_value: 0.5}"
    text = f"policy: p\nstages: {{input: {{rulesets: [{{name: own, rules: [{rule}]}}]}}}}\n"
    draft = await admin.put("/projects/shop/policies/p", text=text)
    assert "no metric 'shouting'" in draft["problems"][0]


async def test_a_job_scores_rows_with_a_code_metric_and_waits_until_it_is_built(admin: At) -> None:
    await dataset(admin)
    await admin.post(METRICS, name="shouting", package={"code": SHOUTING}, why="we need it")
    ask = {"kind": "score", "metrics": ["shouting", "word_count"], "side": "input"}
    job = await ended(admin, await admin.post("/projects/shop/jobs", dataset="q", ask=ask))
    assert (job["state"], job["problem"]) == ("done", "")
    rows = (await admin.get(f"/projects/shop/jobs/{job['id']}/results"))["items"]
    assert [(row["scores"]["shouting"]["value"], row["scores"]["word_count"]["value"]) for row in rows] == [
        (1.0, 2.0), (0.0, 3.0),
    ]  # fmt: skip


async def test_a_job_with_a_code_metric_that_could_not_be_built_fails_with_the_reason(admin: At) -> None:
    await dataset(admin)
    assert (await upload(admin, "broken", "no python"))["status"] == "FAILED"
    ask = {"kind": "score", "metrics": ["broken"]}
    job = await ended(admin, await admin.post("/projects/shop/jobs", dataset="q", ask=ask))
    assert job["state"] == "failed"
    assert "'broken' is FAILED: SyntaxError" in job["problem"]
    await admin.post("/projects/shop/jobs", 422, dataset="q", ask={"kind": "score", "metrics": ["nobodys"]})


@pytest.mark.parametrize("name", ["shouting", "Input Shouting"])
async def test_rules_of_galileos_clients_name_code_metrics(admin: At, name: str) -> None:
    sent = [{"rules": [{"metric": name, "operator": "gt", "target_value": 0.5}], "action": OVERRIDE}]
    early = await galileo(admin, "POST", "/projects/shop/stages", name="e", type="central", prioritized_rulesets=sent)
    said = await invoked(admin, stage_id=early["id"])
    assert (said["status"], said["text"]) == ("FAILED", "STOP THAT")
    await upload(admin)
    assert (await invoked(admin, stage_id=early["id"]))["text"] == "No.", "it is there by now"
    assert (await invoked(admin, project_name="shop", stage_name="l", prioritized_rulesets=sent))["text"] == "No."
    late = await galileo(admin, "POST", "/projects/shop/stages", name="c", type="central", prioritized_rulesets=sent)
    assert (await invoked(admin, stage_id=late["id"]))["text"] == "No."
    assert (await invoked(admin, "please stop that", stage_id=late["id"]))["text"] == "please stop that"


async def galileo(admin: At, method: str, path: str, **body: Any) -> dict[str, Any]:
    headers = {"galileo-api-key": admin.key}
    answer = await admin.http.request(method, f"http://central{path}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def invoked(admin: At, text: str = "STOP THAT", **body: Any) -> dict[str, Any]:
    return await galileo(admin, "POST", "/protect/invoke", payload={"input": text}, **body)


async def dataset(admin: At) -> None:
    """A dataset `q` of two rows."""
    lines = b'{"input": "STOP THAT"}\n{"input": "please stop that"}\n'
    digest = hashlib.sha256(lines).hexdigest()
    headers = {"authorization": f"Bearer {admin.key}"}
    await admin.http.put(f"http://central/api/v1/projects/shop/blocks/{digest}", content=lines, headers=headers)
    await admin.post("/projects/shop/datasets", name="q", digest=digest, blocks=[digest])


async def ended(admin: At, job: dict[str, Any]) -> dict[str, Any]:
    while job["state"] in ("pending", "running"):
        await asyncio.sleep(0.05)
        job = await admin.get(f"/projects/shop/jobs/{job['id']}")
    return job


async def test_where_code_is_switched_off_its_rules_fail_and_say_so(settings: CentralSettings) -> None:
    async with central(settings.model_copy(update={"code": "off"})) as http:
        admin = await At(http, await first_key(settings)).project()
        built = await upload(admin)
        assert (built["status"], "code: off" in built["log"]) == ("FAILED", True)
        await with_stage(admin)
        assert "code: off" in (await check(admin))["measurements"][0]["error"]


def wheel(folder: Path, name: str, code: str, pth: str = "") -> None:
    """A wheel of one module, as an index has it."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as made:
        made.writestr(f"{name}.py", code)
        if pth:
            made.writestr(f"{name}.pth", pth)
        made.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        made.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{name}-1.0.dist-info/RECORD", "")
