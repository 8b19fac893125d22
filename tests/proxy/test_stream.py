"""A streamed answer of several texts and calls: what goes out does not depend on how it was cut into events."""

import re
from copy import deepcopy
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.errors import UpstreamError
from guard.metrics import Turn
from guard.proxy.calls import Calls
from guard.proxy.stream import guarded
from guard.proxy.wire.chat import Chat
from guard.proxy.wire.wire import Place
from tests.fakes import SORRY, Streamed, guard_of, override, policy_of, redact, spotting

KEY = spotting("key", {"key": r"\bKEY-[0-9]{4}\b"})
BAD = spotting("bad", r"\bbomb\b")
ORDER = spotting("order", {"order": r"\bORD-[0-9]{4}\b"})
#: What is said of orders is taken out of the question, and put back into the answer.
ASKED = {"input": [redact("order", restore=True)]}
POLICIES = {
    "redact": policy_of(KEY, BAD, ORDER, output=[redact("key")], tool_call=[redact("key")], **ASKED),
    "override": policy_of(KEY, BAD, ORDER, output=[override("bad")], tool_call=[override("bad")], **ASKED),
    "both": policy_of(KEY, BAD, ORDER, output=[override("bad"), redact("key")], tool_call=[override("bad")], **ASKED),
}
WORDS = st.sampled_from(["a", "word", "bomb", "bomber", "KEY-1234", "[ORDER_1]", "[ORDER_", "[", "é"])
TEXTS = st.lists(WORDS, max_size=60).map(" ".join)
CUTS = st.lists(st.integers(1, 50), min_size=1, max_size=5)
some = settings(max_examples=20, deadline=None)


def chunk(delta, finish=None):
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def cut(text, sizes):
    """The text in pieces of these sizes, over and over."""
    at, number = 0, 0
    while at < len(text):
        size = sizes[number % len(sizes)]
        yield text[at : at + size]
        at, number = at + size, number + 1


def call(index, **function):
    return {"tool_calls": [{"index": index, "id": str(index), "type": "function", "function": function}]}


def answer(reasoning, content, arguments, sizes):
    """The events of an answer that thinks, speaks and calls."""
    yield chunk({"role": "assistant", "content": ""})
    for piece in cut(reasoning, sizes):
        yield chunk({"reasoning_content": piece})
    for piece in cut(content, sizes):
        yield chunk({"content": piece})
    if arguments:
        yield chunk(call(0, name="find", arguments=""))
    for piece in cut(arguments, sizes):
        yield chunk(call(0, arguments=piece))
    yield chunk({}, "tool_calls" if arguments else "stop")
    yield {"id": "c", "choices": [], "usage": {"total_tokens": 7}}


class Sent:
    """What went out of an answer under a policy, after a question about an order."""

    def __init__(self, policy):
        guard, self.events = guard_of(policy, random=Random(0))
        self.exchange = guard.exchange()
        self.wire = Chat().streaming({"model": "m"})

    async def through(self, events):
        turn, _ = await self.exchange.check_each(Turn.of("about ORD-7777"), ("input",))

        async def heard():
            for event in events:
                yield event

        released = guarded(self.wire, self.exchange, turn, heard(), window=60, overlap=20)
        self.chunks = [event async for event in released]
        content = b"".join(map(self.wire.encode, self.chunks)) + self.wire.end
        self.said = Streamed(content.decode("utf-8"))
        deltas = [choice["delta"] for event in self.chunks for choice in event["choices"]]
        self.reasoning = "".join(delta.get("reasoning_content") or "" for delta in deltas)
        return self

    @property
    def decisions(self):
        return [(event.kind, event.status, event.ruleset, event.outcomes) for event in self.events]


@pytest.mark.parametrize("name", POLICIES)
@some
@given(reasoning=TEXTS, content=TEXTS, arguments=TEXTS, sizes=CUTS)
async def test_how_an_answer_is_cut_changes_neither_what_goes_out_nor_the_decisions(
    name, reasoning, content, arguments, sizes
):
    pieces = await Sent(POLICIES[name]).through(answer(reasoning, content, arguments, sizes))
    whole = await Sent(POLICIES[name]).through(answer(reasoning, content, arguments, [100_000]))
    assert (pieces.reasoning, pieces.said.text, pieces.said.calls) == (
        whole.reasoning,
        whole.said.text,
        whole.said.calls,
    )
    assert pieces.said.finish == whole.said.finish
    assert pieces.decisions == whole.decisions


@pytest.mark.parametrize("name", POLICIES)
@some
@given(reasoning=TEXTS, content=TEXTS, arguments=TEXTS, sizes=CUTS)
async def test_nothing_that_is_covered_goes_out_in_any_field_not_even_its_beginning(
    name, reasoning, content, arguments, sizes
):
    sent = await Sent(POLICIES[name]).through(answer(reasoning, content, arguments, sizes))
    said = [
        sent.reasoning,
        sent.said.text.replace(SORRY, ""),
        *(one["function"]["arguments"] for one in sent.said.calls),
    ]
    if name != "redact":
        assert not any(re.search(r"\bbomb\b", text) for text in said)
    if name != "override":
        # Tool calls are redacted under one of these only.
        assert "KEY-" not in "".join(said if name == "redact" else said[:2])


@some
@given(content=TEXTS, arguments=TEXTS, sizes=CUTS)
async def test_events_stay_well_formed_and_usage_and_finish_come_through(content, arguments, sizes):
    sent = await Sent(POLICIES["redact"]).through(answer("", content, f"{{{len(arguments)}}}", sizes))
    assert sent.chunks[-1]["usage"] == {"total_tokens": 7}
    assert sent.said.finish == "tool_calls"
    assert [one["function"] for one in sent.said.calls] == [{"name": "find", "arguments": f"{{{len(arguments)}}}"}]


async def test_the_content_does_not_wait_for_the_last_of_the_reasoning():
    exchange = guard_of(POLICIES["override"])[0].exchange()
    released, while_it_runs = [], 0

    async def heard():
        nonlocal while_it_runs
        for event in answer("thinking", "word " * 40, "", [5]):
            while_it_runs = len(released)
            yield event

    stream = Chat().streaming({"model": "m"})
    async for event in guarded(stream, exchange, Turn.of("hello"), heard(), window=60, overlap=20):
        released.append(event)
    assert released[while_it_runs - 1]["choices"][0]["delta"]["content"] == "word "
    assert while_it_runs > 30


async def test_reasoning_that_goes_on_after_content_is_read_together_with_what_stood_before():
    said = [chunk({"reasoning_content": "tick "}), chunk({"content": "hi"}), chunk({"reasoning_content": "tock"})]
    sent = await Sent(policy_of(spotting("m", "tick tock"), output=[override("m")])).through(said)
    assert "tock" not in sent.reasoning
    assert sent.said.finish == "content_filter"


async def test_a_call_that_goes_on_after_it_ended_is_the_upstreams_error():
    guard, _ = guard_of(POLICIES["override"])
    calls = Calls(guard.exchange(), Turn())
    calls.add(Place("a", {"arguments": "{}"}, "arguments", "tool_call", "find"))
    await calls.end({"a"})
    with pytest.raises(UpstreamError, match="had ended"):
        calls.add(Place("a", {"arguments": "more"}, "arguments", "tool_call"))


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        ("whole", chunk({"content": "word " * 100})),
        ("whole", {"choices": [], "padding": 1}),
        ("observe", chunk({"content": "word " * 100})),
    ],
)
async def test_a_stream_of_which_too_much_would_be_kept_breaks_off_and_says_what_to_raise(stream, event):
    policy = policy_of(BAD, settings={"stream": stream}, output=[override("bad")])
    heard = 0

    async def endless():
        nonlocal heard
        yield chunk({"content": "word"})
        while heard < 1_000:
            heard += 1
            yield deepcopy(event)

    sizes = {"window": 60, "overlap": 20, "limit": 10_000}
    events = guarded(Chat().streaming({"model": "m"}), guard_of(policy)[0].exchange(), Turn(), endless(), **sizes)
    with pytest.raises(UpstreamError, match="larger than 10,000 bytes; raise max_answer"):
        [event async for event in events]
    assert heard < 500
