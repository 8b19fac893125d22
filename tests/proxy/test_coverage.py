"""Every answer and every event says what was checked, what was not, and how much was read."""

from dataclasses import replace

import pytest

from guard.errors import UpstreamError
from guard.guard import Guard
from guard.metrics.metric import Cost
from guard.proxy.upstream import UpstreamRefused
from tests.fakes import (
    Recorded,
    ScriptedUpstream,
    broken,
    fixed,
    override,
    policy_of,
    redact,
    rule,
    spotting,
    streamed,
    waiting,
)
from tests.proxy.conftest import ask

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
BAD = spotting("bad", r"\bbomb\b")


@pytest.fixture
def guarded(client):
    """A client of the proxy under a policy of these metrics, and the events that it records."""

    def make(upstream, policy):
        caller = client(upstream)
        recorded = Recorded()
        caller.app.state.proxy = replace(caller.app.state.proxy, guard=Guard(policy, recorder=recorded))
        return caller, recorded.events

    return make


def last(response):
    """The headers of an answer, of a stream those in its last event."""
    if "text/event-stream" not in response.headers["content-type"]:
        return response.headers["x-guard-coverage"], response.headers["x-guard-read"]
    [said] = streamed(response).comments
    coverage, read = said.split("x-guard-coverage=")[1].split(" x-guard-read=")
    return coverage, read.split(" x-guard-")[0]


@pytest.mark.parametrize("stream", [False, True])
def test_what_ran_failed_was_late_or_not_needed_is_said_each_by_itself(guarded, stream):
    first = override(rule("ok", "gt", 0.5), name="first")
    torn, late = override(rule("torn", "gt", 0.5), name="torn"), override(rule("late", "gt", 0.5), name="late")
    needless = override(rule("ok", "gt", 0.5), rule("dear", "gt", 0.5), name="needless")
    # What is free runs at once, so that no busy machine makes it late too.
    torn_at_once = replace(broken("torn"), cost=Cost.FREE)
    metrics = fixed("ok", 0.0, cost=Cost.FREE), torn_at_once, waiting("late"), fixed("dear", 0.0, cost=Cost.MODEL)
    settings = {"timeout": "50ms", "on_failure": "allow"}
    policy = policy_of(*metrics, settings=settings, output=[first, torn, late, needless])
    caller, events = guarded(ScriptedUpstream("well"), policy)
    coverage, read = last(ask(caller, "hello", stream=stream))
    assert coverage == "output=ok/torn+late:late/dear"
    assert read == "output=4"
    assert events[0].coverage == {"run": ["ok"], "skipped": ["dear"], "failed": ["torn"], "late": ["late"]}


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_no_text_is_counted_by_kind_in_the_answer_and_in_the_event(guarded, stream):
    caller, events = guarded(
        ScriptedUpstream("well"), policy_of(BAD, input=[override("bad")], output=[override("bad")])
    )
    parts = [{"type": "text", "text": "look"}, IMAGE, SOUND, IMAGE, {"type": "hologram"}]
    body = {"model": "m", "messages": [{"role": "user", "content": parts}], "stream": stream}
    coverage, read = last(caller.post("/v1/chat/completions", json=body))
    assert coverage == "input=bad/-/-, output=bad/-/-, unread=image:2+audio:1+other:1"
    assert read == "input=4, output=4"
    assert [event.unread for event in events] == [{"image": 2, "audio": 1, "other": 1}, {}]


def test_texts_of_one_answer_that_are_read_apart_are_added_up(guarded):
    upstream = ScriptedUpstream("well" * 100, reasoning="hm" * 10)
    caller, _ = guarded(upstream, policy_of(BAD, output=[override("bad")]))
    assert last(ask(caller, "hello", stream=True)) == ("output=bad/-/-", "output=420")


def test_a_stream_that_goes_out_unread_says_so_and_its_whole_answer_is_enforced(guarded):
    policy = policy_of(BAD, settings={"stream": "observe"}, output=[override("bad")])
    caller, events = guarded(ScriptedUpstream("a bomb", call=("f", "{}")), policy)
    response = ask(caller, "hello", stream=True)
    assert streamed(response).text == "a bomb"
    assert last(response) == ("output:observed=bad/-/-", "output=6")
    assert [(event.status, event.outcomes[0]["status"]) for event in events] == [("not_triggered", "triggered")]
    whole = ask(caller, "hello")
    assert "bomb" not in whole.text
    assert last(whole)[0] == "output=bad/-/-"


def test_calls_that_go_out_unread_are_checked_behind(guarded):
    policy = policy_of(BAD, settings={"stream": "observe"}, tool_call=[override("bad")])
    caller, events = guarded(ScriptedUpstream("", call=("f", "a bomb")), policy)
    response = ask(caller, "hello", stream=True)
    assert streamed(response).calls[0]["function"]["arguments"] == "a bomb"
    assert last(response) == ("tool_call:observed=bad/-/-", "tool_call=6")
    assert [event.kind for event in events] == ["tool_call"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", [UpstreamError("out of order"), UpstreamRefused(429, {"error": {}}, {})])
def test_an_error_of_the_provider_says_what_was_checked_before(guarded, error, stream):
    policy = policy_of(spotting("key", "KEY-1"), input=[redact("key")])
    caller, _ = guarded(ScriptedUpstream(error=error), policy)
    response = ask(caller, "hello KEY-1", stream=stream)
    assert response.status_code in (429, 502)
    assert last(response) == ("input=key/-/-", "input=11")
    assert response.headers["x-guard-status"] == "triggered"
