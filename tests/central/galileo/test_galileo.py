"""`galileo` 2.7.0 itself against central: what its own functions give back to an app."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.central.galileo.conftest import SECRET, Told, environment, told_by

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("galileo")]

LONG = "one two three four five"


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    python = environment(request, "galileo-2.7.0.txt")
    with told_by("client_2_7.py", database, tmp_path_factory.mktemp("client"), python) as told:
        yield told


@pytest.fixture
def steps(told: Told) -> dict[str, Any]:
    return told.steps


def test_a_project_is_made_once_and_found_by_name_and_by_id(steps: dict) -> None:
    identifier, by_name, name = steps["project"]
    assert (by_name, name, steps["all projects"]) == (identifier, "shop", ["shop"])


def test_a_central_stage_is_made_found_updated_paused_and_resumed(steps: dict) -> None:
    made = steps["made"]
    assert (made["name"], made["type"], made["version"], made["paused"]) == ("front", "central", 1, False)
    assert steps["got by name"] == steps["got by id"] == made
    assert steps["updated"] == {**made, "version": 2}
    assert steps["paused"] == {**made, "version": 2, "paused": True}
    assert steps["resumed"] == steps["updated"]


def test_an_invocation_uses_the_newest_version_or_the_one_it_names(steps: dict) -> None:
    versions = [
        (steps[step]["status"], steps[step]["stage_metadata"]["stage_version"])
        for step in ("first version", "newest version", "older version")
    ]
    assert versions == [("TRIGGERED", 1), ("NOT_TRIGGERED", 2), ("TRIGGERED", 1)]
    assert steps["while paused"]["status"] == "PAUSED"
    assert steps["while paused"]["text"] == LONG


def test_every_status_comes_out_as_it_is(steps: dict) -> None:
    names = ["triggered", "not triggered", "skipped", "timeout", "failed", "error"]
    assert [steps[name]["status"] for name in names] == [
        "TRIGGERED", "NOT_TRIGGERED", "SKIPPED", "TIMEOUT", "FAILED", "ERROR",
    ]  # fmt: skip


def test_what_fails_or_is_late_lets_the_text_pass_and_says_why(steps: dict) -> None:
    for name, metric, status in (("failed", "broken", "failed"), ("timeout", "slow", "timeout")):
        answer = steps[name]
        assert (answer["text"], answer["action_result"]["type"]) == (LONG, "PASSTHROUGH")
        assert answer["ruleset_results"][0]["rule_results"][0]["value"] is None
        result = answer["metric_results"][metric]
        assert (result["status"], result["value"]) == (status, None)
        assert result["error_message"]


def test_an_invocation_that_breaks_lets_nothing_pass(steps: dict) -> None:
    answer = steps["error"]
    assert LONG not in answer["text"]
    assert answer["action_result"]["type"] == "OVERRIDE"


def test_a_triggered_answer_tells_all_that_led_to_it(steps: dict) -> None:
    answer = steps["triggered"]
    assert (answer["text"], answer["metadata"], answer["headers"]) == ("Too long.", {"trace": "7"}, {"x-my": "1"})
    (result,) = answer["ruleset_results"]
    assert (result["status"], result["description"]) == ("TRIGGERED", "no essays")
    (rule,) = result["rule_results"]
    told = {name: rule[name] for name in ("metric", "operator", "target_value", "value", "status")}
    assert told == {
        "metric": "input_word_count", "operator": "gt", "target_value": 3, "value": 5, "status": "TRIGGERED",
    }  # fmt: skip
    assert answer["metric_results"]["input_word_count"]["status"] == "success"
    times = answer["trace_metadata"]
    assert 0 < times["received_at"] < times["response_at"] < time.time_ns()


def test_the_first_triggered_ruleset_in_the_list_names_the_action(steps: dict) -> None:
    assert steps["the first of two"]["text"] == "First."
    assert (steps["passed through"]["status"], steps["passed through"]["text"]) == ("TRIGGERED", LONG)


def test_a_ruleset_on_a_side_that_the_payload_lacks_is_skipped(steps: dict) -> None:
    assert steps["of the output"]["status"] == "TRIGGERED"
    other = steps["other side"]
    assert (other["status"], other["metric_results"]) == ("SKIPPED", {})


def test_a_name_that_is_new_is_made_at_the_first_check(steps: dict) -> None:
    made = steps["made on the fly"]
    assert (made["name"], made["type"], made["version"]) == ("local", "local", 1)


MEASURED = {
    "context_adherence", "input_pii", "input_sexism", "input_tone", "input_toxicity", "output_pii", "output_sexism",
    "output_tone", "output_toxicity", "prompt_injection",
}  # fmt: skip


def test_every_metric_of_galileos_is_measured_or_says_that_guard_has_none(steps: dict) -> None:
    assert len(steps["all metrics"]) > 40
    for name, answer in steps["all metrics"].items():
        ((metric, result),) = answer["metric_results"].items()
        if name.removesuffix("_luna") in MEASURED:
            assert (answer["status"], result["status"]) == ("NOT_TRIGGERED", "success"), name
            assert result["value"] is not None
        else:
            assert (answer["status"], result["status"], result["value"]) == ("FAILED", "failed", None), name
            assert "Guard has no metric" in result["error_message"], metric


def test_subscriptions_are_told_signed_and_again_after_a_failure(told: Told) -> None:
    until = time.monotonic() + 20
    while len(told.hook.calls) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    calls = told.hook.calls
    for headers, body in calls:
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-guard-signature"] == f"sha256={signature}"
    events = [json.loads(body) for _, body in calls]
    told_of = {event["id"] for event in events}
    assert told_of == {told.steps[step]["guard"]["event"] for step in ("subscribed", "subscribed to failures")}
    assert {event["status"] for event in events} == {"triggered", "failed"}
    assert len(calls) == 3


def test_langchains_tool_and_parser_work(steps: dict) -> None:
    assert (steps["tool"]["status"], steps["tool"]["text"]) == ("TRIGGERED", "Too long.")
    assert steps["parser, triggered"] == "Too long."
    assert steps["parser, not triggered"] == "the chain: hello there"
    assert steps["parser, trigger ignored"] == "the chain: Too long."


def test_errors_are_those_that_the_client_knows(steps: dict) -> None:
    assert "there is a stage 'front' already" in steps["taken"]
    assert "the project has no such stage" in steps["no such stage"]
    assert "there is no such stage" in steps["no such id"]
    assert "a key of role 'viewer' may not do this" in steps["a viewer makes a stage"]
    (detail,) = steps["unintelligible"]["detail"]
    assert detail["loc"] == ["body", "prioritized_rulesets"]
    assert "the stage is central" in detail["msg"]
