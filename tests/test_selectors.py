"""Rules that read a part of a side, from the request to the event and its replay."""

from __future__ import annotations

import json

import pytest

from guard.metrics import Turn
from guard.policies.diff import diff
from guard.proxy.headers import coverage
from guard.proxy.wire.chat import Chat
from guard.proxy.wire.messages import Messages
from guard.proxy.wire.responses import Responses
from guard.stages import Status, decide
from tests.fakes import counting, guard_of, override, policy_of, redact, rule, spotting

SECRET = spotting("secret", "hunter2")
WORDS = counting("words", r"\w+")
SEARCH = {"tool": "search", "path": "$.query"}
CALL = {"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
LATER = {"id": "1", "type": "function", "function": {"name": "mail", "arguments": "{}"}}


def chat(*messages):
    return Chat().read_request({"model": "m", "messages": list(messages)}, {})


def called(*named):
    answer = {"choices": [{"message": {"tool_calls": [{"function": {"name": n, "arguments": a}} for n, a in named]}}]}
    return Chat().read_answer(answer, Turn())


async def test_only_what_was_chosen_is_redacted_and_the_json_stays_json():
    guard, events = guard_of(policy_of(SECRET, tool_call=[redact(rule("secret", **SEARCH))]))
    said = json.dumps({"note": "hunter2", "query": 'say "hunter2"\n'})
    verdict = await guard.acheck(called(("search", said), ("mail", '{"query": "hunter2"}')), "tool_call")
    first, second = verdict.turn.passages("tool_call")
    assert json.loads(first) == {"note": "hunter2", "query": 'say "[SECRET_1]"\n'}
    assert second == '{"query": "hunter2"}'
    assert "secret (tool search, path $.query)" in verdict.why
    assert verdict.read == events[0].characters == {"tool_call": len('say "hunter2"\n')}


async def test_an_event_of_chosen_texts_is_decided_again_as_it_was():
    policy = policy_of(SECRET, tool_call=[override(rule("secret", **SEARCH)), override("secret", name="all")])
    guard, events = guard_of(policy)
    verdict = await guard.acheck(called(("search", '{"query": "x", "note": "hunter2"}')), "tool_call")
    event = type(events[0]).from_json(events[0].to_json())
    again = decide(policy.stage("tool_call"), event.measurements())
    assert again.ruleset is not None
    assert again.ruleset.name == "all" == event.ruleset
    assert [one.status for one in again.outcomes] == [one.status for one in verdict.decision.outcomes]
    assert event.coverage["run"] == ["secret (tool search, path $.query)", "secret"]
    assert [entry.get("only") for entry in event.measured] == [SEARCH, None]
    assert coverage([verdict], {}) == "tool_call=secret:only+secret/-/-"


@pytest.mark.parametrize(("operator", "target"), [("lt", 5), ("gte", 0), ("neq", 7)])
async def test_a_rule_that_has_nothing_to_read_does_not_hold_whatever_it_asks(operator, target):
    policy = policy_of(WORDS, tool_call=[override(rule("words", operator, target, tool="search"))])
    guard, events = guard_of(policy)
    verdict = await guard.acheck(called(("mail", '{"a": "x"}')), "tool_call")
    assert verdict.decision.status == Status.NOT_TRIGGERED
    assert decide(policy.stage("tool_call"), events[0].measurements()).status == Status.NOT_TRIGGERED
    verdict = await guard.acheck(called(("search", '{"a": "x"}')), "tool_call")
    assert verdict.decision.status == Status.TRIGGERED


async def test_finding_nothing_is_not_the_same_as_reading_nothing():
    guard, _ = guard_of(policy_of(SECRET, tool_call=[override(rule("secret", "empty", tool="search"))]))
    assert (await guard.acheck(called(("mail", "{}")), "tool_call")).allowed
    assert not (await guard.acheck(called(("search", "{}")), "tool_call")).allowed


def test_a_tools_result_is_known_by_the_nearest_call_before_it():
    turn = chat(
        {"role": "tool", "tool_call_id": "1", "content": "unasked"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": "found"},
        {"role": "assistant", "content": None, "tool_calls": [LATER]},
        {"role": "tool", "tool_call_id": "1", "content": "sent"},
        {"role": "function", "name": "clock", "content": "noon"},
    )
    names = dict(zip(turn.passages("tool_result"), (tool for _, tool in turn.authors("tool_result")), strict=True))
    assert names == {"unasked": "", "found": "search", "sent": "mail", "noon": "clock"}
    assert turn.with_history(str.upper).authors("tool_result") == turn.authors("tool_result")


def test_responses_name_the_tool_of_a_result():
    items = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "1", "name": "search", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "found"},
        {"type": "function_call_output", "output": "whose?"},
        {"type": "mcp_call", "name": "mail", "arguments": "{}", "output": "sent"},
    ]
    turn = Responses().read_request({"model": "m", "input": items}, {})
    assert [tool for _, tool in turn.authors("tool_result")] == ["search", "", "mail"]


def test_messages_name_the_tool_of_a_result():
    uses = [{"type": "tool_use", "id": number, "name": name, "input": {}} for number, name in [("1", "a"), ("2", "b")]]
    results = [{"type": "tool_result", "tool_use_id": number, "content": "x"} for number in ("2", "1", "3")]
    said = [{"role": "assistant", "content": uses}, {"role": "user", "content": results}]
    turn = Messages().read_request({"model": "m", "messages": said}, {})
    assert [tool for _, tool in turn.authors("tool_result")] == ["b", "a", ""]


def test_a_change_of_what_is_read_is_told():
    old = policy_of(SECRET, tool_call=[override("secret")])
    new = policy_of(SECRET, tool_call=[override(rule("secret", **SEARCH))])
    (change,) = diff(old, new)
    assert change.text == (
        "triggers where secret of the tool call (tool search, path $.query) finds anything; "
        "it was: secret of the tool call finds anything"
    )
