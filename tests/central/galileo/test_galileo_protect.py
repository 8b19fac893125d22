"""`galileo-protect` 1.0.1 itself against central: what its own functions give back to an app."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.central.galileo.conftest import Told, environment, told_by

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("galileo-protect")]


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    python = environment(request, "galileo-protect-1.0.1.txt")
    with told_by("client_1_0.py", database, tmp_path_factory.mktemp("client"), python) as told:
        yield told


def test_a_project_is_made_once_and_found(told: Told) -> None:
    assert len(set(told.steps["project"])) == 1
    assert told.steps["projects"] == ["shop"]


def test_a_stage_goes_through_its_whole_life(told: Told) -> None:
    steps = told.steps
    assert steps["got"] == steps["made"]
    assert (steps["made"]["version"], steps["updated"]["version"]) == (1, 2)
    assert [steps[step]["status"] for step in ("triggered", "not triggered", "paused")] == [
        "TRIGGERED", "NOT_TRIGGERED", "PAUSED",
    ]  # fmt: skip
    assert steps["triggered"]["text"] == "Too long."


def test_all_its_metrics_are_measured(told: Told) -> None:
    assert len(told.steps["its metrics"]) == 10
    for name, answer in told.steps["its metrics"].items():
        assert [one["status"] for one in answer["metric_results"].values()] == ["success"], name


def test_langchains_tool_and_parser_work(told: Told) -> None:
    assert told.steps["parser"] == ["Too long.", "the chain: hello there"]


def test_a_subscription_that_a_stage_keeps_is_told(told: Told) -> None:
    until = time.monotonic() + 20
    while len(told.hook.calls) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert {json.loads(body)["id"] for _, body in told.hook.calls} == {told.steps["triggered"]["guard"]["event"]}


def test_an_error_is_shown_with_its_text(told: Told) -> None:
    status, text = told.steps["taken"]
    assert status == 409
    assert "there is a stage 'front' already" in text
