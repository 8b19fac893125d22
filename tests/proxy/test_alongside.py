"""`check: alongside`: the provider is asked at once, and nothing of its answer is released before the decision."""

import asyncio
import threading
from dataclasses import replace

import pytest

from guard.errors import UpstreamError
from guard.guard import Guard
from guard.metrics import Metric, Score
from tests.fakes import SORRY, Recorded, ScriptedUpstream, override, policy_of, redact, spotting, streamed
from tests.proxy.conftest import ask

WAIT = 10


class Watched(ScriptedUpstream):
    """Tells when it is asked, and answers unless it never does."""

    def __init__(self, *texts, answers=True, **more):
        super().__init__(*texts, **more)
        self.asked, self.answers, self.cancelled = threading.Event(), answers, False

    async def _wait(self):
        self.asked.set()
        try:
            if not self.answers:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    async def complete(self, path, body, headers):
        await self._wait()
        return await super().complete(path, body, headers)

    async def stream(self, path, body, headers):
        await self._wait()
        chunks = super().stream(path, body, headers)
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()


@pytest.fixture
def guarded(client):
    """A client of the proxy under a policy of these metrics, and the events that it records."""

    def make(upstream, policy):
        caller = client(upstream)
        recorded = Recorded()
        caller.app.state.proxy = replace(caller.app.state.proxy, guard=Guard(policy, recorder=recorded))
        return caller, recorded.events

    return make


def once_asked(upstream, word):
    """Finds a word, but not before the provider was asked."""

    def measure(turn, side):
        if not upstream.asked.wait(WAIT):
            raise RuntimeError("the provider was not asked meanwhile")
        return Score(float(word in turn.passages(side)[0]))

    return Metric("late", measure)


LATE = {"metric": "late", "operator": "gte", "target_value": 1}
ALONGSIDE = {"check": "alongside", "timeout": WAIT}


@pytest.mark.parametrize("stream", [False, True])
def test_the_provider_is_asked_while_the_input_is_read(guarded, stream):
    upstream = Watched("Paris.")
    policy = policy_of(once_asked(upstream, "bomb"), settings=ALONGSIDE, input=[override(LATE)])
    caller, events = guarded(upstream, policy)
    response = ask(caller, "hello", stream=stream)
    assert "Paris." in (streamed(response).text if stream else response.text)
    assert response.headers["x-guard-status"] == "not_triggered"
    assert [event.status for event in events] == ["not_triggered"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_input_that_triggers_cancels_the_call_and_nothing_of_an_answer_goes_out(guarded, stream):
    upstream = Watched("never", answers=False)
    policy = policy_of(once_asked(upstream, "bomb"), settings=ALONGSIDE, input=[override(LATE)])
    caller, _ = guarded(upstream, policy)
    response = ask(caller, "a bomb", stream=stream)
    assert "never" not in response.text
    assert SORRY in response.text
    assert response.headers["x-guard-status"] == "triggered"
    assert upstream.cancelled


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_there_first_waits_for_the_decision(guarded, stream):
    upstream = Watched("never")
    policy = policy_of(once_asked(upstream, "bomb"), settings=ALONGSIDE, input=[override(LATE)])
    caller, _ = guarded(upstream, policy)
    response = ask(caller, "a bomb", stream=stream)
    assert "never" not in response.text
    assert SORRY in response.text
    assert upstream.closed == stream


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("said", "status"), [("hello", 502), ("a bomb", 200)])
def test_a_refusal_goes_before_an_error_of_the_provider(guarded, said, status, stream):
    upstream = Watched(error=UpstreamError("out of order"))
    policy = policy_of(once_asked(upstream, "bomb"), settings=ALONGSIDE, input=[override(LATE)])
    caller, _ = guarded(upstream, policy)
    assert ask(caller, said, stream=stream).status_code == status


@pytest.mark.parametrize("stream", [False, True])
def test_a_stage_that_redacts_is_checked_before_whatever_it_says(guarded, stream):
    upstream = ScriptedUpstream("fine")
    policy = policy_of(spotting("key", "KEY-[0-9]+"), settings=ALONGSIDE, input=[redact("key")])
    caller, _ = guarded(upstream, policy)
    ask(caller, "KEY-1", stream=stream)
    assert [body["messages"][0]["content"] for body in upstream.bodies] == ["[KEY_1]"]


def test_what_one_stage_redacts_is_redacted_before_another_is_read_alongside(guarded):
    upstream = Watched("fine")
    policy = policy_of(
        spotting("key", "KEY-[0-9]+"),
        once_asked(upstream, "bomb"),
        settings=ALONGSIDE,
        retrieval=[redact("key")],
        input=[override(LATE)],
    )
    caller, events = guarded(upstream, policy)
    ask(caller, "hello", documents=["KEY-1"])
    assert upstream.bodies[0]["documents"] == ["[KEY_1]"]
    assert [event.kind for event in events] == ["retrieval", "input"]
