"""Streamed Responses: every event that says a text says what may be seen of it, and a stream ends as one should."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.errors import UpstreamError
from guard.guard import Guard
from guard.metrics import Message, Turn
from guard.proxy.stream import guarded
from guard.proxy.wire.responses import Responses
from tests import fake_responses as fake
from tests.fake_responses import ScriptedResponses, function_call, message, reasoning, text
from tests.fakes import override, policy_of, redact, spotting
from tests.proxy.conftest import POLICY

CALLS = (
    POLICY
    + """
  tool_call:
    rulesets:
      - name: no rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [Not with them.]}
"""
)
JSON = {"format": {"type": "json_schema", "name": "n", "schema": {}}}


class Read:
    """A stream as its caller read it: its events, its text as the deltas say it, and the response at its end."""

    def __init__(self, content: str) -> None:
        blocks = [block.split("\n") for block in content.split("\n\n") if block and not block.startswith(":")]
        self.comments = [block for block in content.split("\n\n") if block.startswith(":")]
        self.events = [json.loads(data.removeprefix("data: ")) for _, data in blocks]
        assert [name.removeprefix("event: ") for name, _ in blocks] == [event["type"] for event in self.events]
        assert [event["sequence_number"] for event in self.events] == list(range(len(self.events)))
        self.last = self.events[-1]
        self.text = self.deltas("response.output_text")

    def deltas(self, name: str) -> str:
        return "".join(event["delta"] for event in self.events if event["type"] == f"{name}.delta")

    def of(self, kind: str) -> list:
        return [event for event in self.events if event["type"] == kind]

    @property
    def said(self) -> list[str]:
        """The texts of the messages at the end."""
        messages = [item for item in self.last["response"]["output"] if item["type"] == "message"]
        return [part.get("text") or part.get("refusal") for item in messages for part in item["content"]]


@pytest.fixture
def ask(client):
    """What a stream of these items says, or of an upstream."""

    def asked(*items, policy=POLICY, given="hello", settings=None, **body):
        upstream = items[0] if isinstance(items[0], ScriptedResponses) else ScriptedResponses(*items)
        opened = client(upstream, policy=policy, **(settings or {}))
        answer = opened.post("/v1/responses", json={"model": "m", "input": given, "stream": True, **body})
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
        return Read(answer.text)

    return asked


def test_what_triggers_nothing_goes_out_as_it_came(ask):
    citation = {"type": "url_citation", "title": "t", "url": "https://u", "start_index": 0, "end_index": 1}
    items = [
        reasoning("I think", "very hard"),
        message(text("hello there", citation), {"type": "refusal", "refusal": "no"}),
        function_call("f", '{"a": 1}'),
        {"id": "1", "type": "custom_tool_call", "call_id": "1", "name": "g", "input": "free"},
        {"id": "1", "type": "mcp_call", "server_label": "s", "name": "g", "arguments": "{}", "output": "fine"},
        {"id": "1", "type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
        {"id": "1", "type": "shell_call", "call_id": "1", "action": {"commands": ["ls", "ls"]}},
        {"id": "1", "type": "image_generation_call", "result": "AAAA", "status": "completed"},
    ]
    upstream = ScriptedResponses(*items)
    assert ask(upstream, policy=CALLS).events == upstream.script


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_every_event_that_says_a_text_again_says_what_was_let_out_of_it(ask, piece):
    upstream = ScriptedResponses(reasoning("KEY-111 it is"), "Take KEY-222 or ORD-12345678.", piece=piece)
    read = ask(upstream, given="Where is ORD-12345678?")
    upstream = ScriptedResponses(reasoning("[ORDER_NUMBER_1] it is"), "Take KEY-222 or [ORDER_NUMBER_1].", piece=piece)
    read = ask(upstream, given="Where is ORD-12345678?")
    assert read.said == ["Take [KEY_1] or ORD-12345678."]
    assert read.text == read.said[0]
    assert read.of("response.output_text.done")[0]["text"] == read.said[0]
    assert read.of("response.content_part.done")[0]["part"]["text"] == read.said[0]
    assert read.of("response.output_item.done")[1]["item"]["content"][0]["text"] == read.said[0]
    thought = read.deltas("response.reasoning_summary_text")
    assert thought == "ORD-12345678 it is"
    assert read.of("response.reasoning_summary_part.done")[0]["part"]["text"] == thought
    assert "KEY-2" not in json.dumps(read.events)
    assert "ORDER_NUMBER" not in json.dumps(read.events)


@pytest.mark.parametrize("piece", [1, 4, 1000])
def test_a_calls_arguments_are_restored_and_their_deltas_say_them(ask, piece):
    upstream = ScriptedResponses(function_call("find", '{"order": "[ORDER_NUMBER_1]"}'), piece=piece)
    read = ask(upstream, given="Where is ORD-12345678?")
    whole = '{"order": "ORD-12345678"}'
    assert read.deltas("response.function_call_arguments") == whole
    assert read.of("response.output_item.added")[0]["item"]["arguments"] == ""
    assert read.of("response.function_call_arguments.done")[0]["arguments"] == whole
    assert read.of("response.output_item.done")[0]["item"]["arguments"] == whole
    assert read.last["response"]["output"][0]["arguments"] == whole


def test_a_call_is_judged_whole_and_nothing_of_it_goes_out_before(ask):
    read = ask("First a word.", function_call("buy", '{"from": "Acme"}'), policy=CALLS)
    assert [event["item"]["type"] for event in read.of("response.output_item.added")] == ["message", "message"]
    assert read.said == ["First a word.", "\n\nNot with them."]
    assert "function_call" not in json.dumps(read.events)


@pytest.mark.parametrize("events", ["done", "item", "response"])
@pytest.mark.parametrize("item", [message("KEY-1 and more"), function_call("f", "KEY-1 and Acme")])
def test_what_comes_without_pieces_is_read_where_it_is_said_first(ask, events, item):
    script = list(fake.events(fake.response(item)))
    kept = {
        "done": lambda kind: not kind.endswith(".delta"),
        "item": lambda kind: "output_item" in kind or kind.count(".") == 1,
        "response": lambda kind: kind.count(".") == 1,
    }[events]
    script = [event for event in script if kept(event["type"])]
    for number, event in enumerate(script):
        event["sequence_number"] = number
    read = ask(ScriptedResponses(script=script), policy=CALLS)
    if item["type"] == "message":
        assert read.said == ["[KEY_1] and more"]
        assert len(read.events) == len(script)
    else:
        assert read.said == ["Not with them."]
    assert "KEY-1" not in json.dumps(read.events)
    assert "Acme" not in json.dumps(read.events)


def test_a_repetition_that_says_something_else_does_not_say_it(ask):
    script = list(fake.events(fake.response(message("hello"))))
    script[-1]["response"]["output"][0]["content"][0]["text"] = "hello from Acme"
    assert ask(ScriptedResponses(script=script)).said == ["hello"]


def test_an_override_ends_what_is_open_and_says_its_text_in_a_message_of_its_own(ask):
    upstream = ScriptedResponses(reasoning("I think"), "word " * 200 + "Acme " + "word " * 200)
    read = ask(upstream)
    thought, begun, ours = read.last["response"]["output"]
    assert (thought["type"], begun["status"], ours["status"]) == ("reasoning", "incomplete", "completed")
    assert read.said[1] == "\n\nI only speak of our own products."
    assert read.text == "".join(read.said)
    assert begun["content"][0]["text"] == read.of("response.output_text.done")[0]["text"]
    assert read.last["type"] == "response.completed"
    assert read.last["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert [event["output_index"] for event in read.of("response.output_item.done")] == [0, 1, 2]
    assert "Acme" not in json.dumps(read.events)
    assert upstream.closed
    assert read.comments[-1].startswith(": x-guard-status=triggered")


def test_parts_that_were_over_stay_as_they_were_let_out(ask):
    read = ask(message("KEY-1 first.", "word " * 200 + "Acme"))
    assert read.said[0] == "[KEY_1] first."
    assert len(read.of("response.content_part.done")) == 3


def test_an_override_at_once_is_a_whole_stream(ask):
    upstream = ScriptedResponses("hello")
    read = ask(upstream, given="Is Acme better?", previous_response_id="resp_9", metadata={"a": "b"})
    assert upstream.bodies == []
    assert [event["type"].removeprefix("response.") for event in read.events] == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert read.said == ["We only speak of ourselves."]
    assert read.last["response"]["metadata"] == {"a": "b"}
    assert read.last["response"]["id"] == read.events[0]["response"]["id"]
    assert read.last["response"]["id"].endswith("-resp_9")


def test_half_a_json_text_is_left_out_of_the_end_and_the_override_is_a_refusal(ask):
    read = ask('{"said": "' + "word " * 200 + 'Acme"}', text=JSON)
    assert read.said == ["I only speak of our own products."]
    assert read.last["response"]["output"][0]["content"][0]["type"] == "refusal"
    assert read.of("response.output_text.done") == []
    assert read.of("response.output_item.done")[0]["item"]["status"] == "incomplete"


def test_an_override_while_the_model_thinks_leaves_the_half_thought_out(ask):
    read = ask(reasoning("word " * 200 + "Acme"), "hello")
    assert [item["type"] for item in read.last["response"]["output"]] == ["message"]
    assert read.said == ["I only speak of our own products."]


def test_words_of_events_that_nobody_knows_are_read(ask):
    script = list(fake.events(fake.response(message("hello"))))
    news = [
        {"type": "response.news", "headline": "KEY-1 found", "more": [{"line": "KEY-2"}]},
        {"type": "response.news", "headline": "step one"},
        {"type": "response.news", "headline": "step two"},
        {"type": "response.ticker.delta", "output_index": 0, "delta": "KE"},
        {"type": "response.ticker.delta", "output_index": 0, "delta": "Y-3 !"},
        {"type": "response.ticker.done", "output_index": 0, "words": "KEY-3 !"},
    ]
    script[2:2] = news
    for number, event in enumerate(script):
        event["sequence_number"] = number
    read = ask(ScriptedResponses(script=script))
    assert "KEY-" not in json.dumps(read.events)
    assert [event["headline"] for event in read.of("response.news")] == ["[KEY_1] found", "step one", "step two"]
    assert read.deltas("response.ticker") == read.of("response.ticker.done")[0]["words"]
    assert len(read.events) == len(script)


def test_sound_is_passed_and_what_is_said_in_it_is_read(ask):
    script = [
        {"type": "response.audio.delta", "delta": "Acme", "sequence_number": 0},
        {"type": "response.audio.transcript.delta", "delta": "KE", "sequence_number": 1},
        {"type": "response.audio.transcript.delta", "delta": "Y-1 is it", "sequence_number": 2},
        {"type": "response.audio.transcript.done", "sequence_number": 3},
    ]
    read = ask(ScriptedResponses(script=script))
    assert read.deltas("response.audio") == "Acme"
    assert read.deltas("response.audio.transcript") == "[KEY_1] is it"


def test_a_stream_that_breaks_off_ends_with_an_error_event_and_no_end(ask):
    whole = list(fake.events(fake.response(message("hello"))))
    read = ask(ScriptedResponses(script=whole[:6], error=UpstreamError("the provider broke off")))
    assert read.last["type"] == "error"
    assert read.last["message"] == read.last["error"]["message"] == "the provider broke off"
    assert read.of("response.completed") == []
    assert read.text == "hello"


@pytest.mark.parametrize(
    "odd",
    [
        {"delta": "KEY-1"},
        {"type": "x\ndata: KEY-1", "delta": "y"},
        {"type": "response.output_text.delta", "output_index": "first", "delta": "KEY-1"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": [0], "delta": "KEY-1"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": {"text": "KEY-1"}},
        {"type": "response.output_item.done", "output_index": 0, "item": fake.function_call("f", {"a": "KEY-1"})},  # type: ignore[arg-type]
        {"type": "response.completed", "response": {"output": "KEY-1"}},
    ],
)
def test_an_event_that_is_not_understood_does_not_go_out_and_what_came_before_it_does(ask, odd):
    before = list(fake.events(fake.response(message("hello"))))[:6]
    read = ask(ScriptedResponses(script=[*before, {**odd, "sequence_number": 6}]), policy=CALLS)
    assert read.text == "hello"
    assert read.last["type"] == "error"
    assert "KEY-1" not in json.dumps(read.events)


def test_a_text_that_goes_on_after_its_end_is_read_on(ask):
    events = list(fake.events(fake.response(message("hello"))))
    again = {**events[4], "sequence_number": 6, "delta": " Acme"}
    assert "Acme" not in json.dumps(ask(ScriptedResponses(script=[*events[:6], again])).events)


async def test_a_thought_that_is_over_does_not_hold_back_the_answer():
    exchange = Guard(policy_of(spotting("rude", "damn"), output=[override("rude")])).exchange()
    seen = []

    async def slowly():
        for event in fake.events(fake.response(reasoning("I think"), message("word " * 300)), piece=100):
            yield event
            seen.append(event["sequence_number"])

    stream = Responses().streaming({"model": "m", "input": "a"})
    first = None
    async for event in guarded(stream, exchange, Turn((Message("user", ("a",)),)), slowly(), window=480, overlap=120):
        if event["type"] == "response.output_text.delta" and first is None:
            first = len(seen)
    assert first is not None
    assert first < len(seen) - 5


WORDS = st.lists(
    st.sampled_from(["KEY-1", "KEY-22", "hello", "[ORDER_NUMBER_1]", "ok.", "\n", "KE", "Y-3"]), max_size=30
)


@settings(max_examples=60, deadline=None)
@given(words=WORDS, cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20))
async def test_however_a_text_is_cut_into_pieces_the_same_is_let_out_of_it(words, cuts):
    said = " ".join(words) + " end"
    script = list(fake.events(fake.response(message(said))))
    deltas = [event for event in script if event["type"].endswith(".delta")]
    at, pieces = 0, []
    while at < len(said):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append({**deltas[0], "delta": said[at : at + size]})
        at += size
    before = script[: script.index(deltas[0])]
    after = script[script.index(deltas[-1]) + 1 :]
    policy = policy_of(
        spotting("order", r"ORD-\d+"),
        spotting("key", r"KEY-\d+"),
        input=[redact("order", restore=True, labels=["order"])],
        output=[redact("key")],
    )
    exchange = Guard(policy).exchange()
    turn, _ = await exchange.check_each(Turn((Message("user", ("ORD-7 and ORD-8",)),)), ("input",))

    async def heard():
        for event in json.loads(json.dumps([*before, *pieces, *after])):
            yield event

    stream = Responses().streaming({"model": "m", "input": "a"})
    read = [event async for event in guarded(stream, exchange, turn, heard(), window=64, overlap=16)]
    texts = {"".join(event["delta"] for event in read if event["type"] == "response.output_text.delta")}
    texts |= {event["text"] for event in read if event["type"] == "response.output_text.done"}
    texts |= {part["text"] for item in read[-1]["response"]["output"] for part in item["content"]}
    assert len(texts) == 1
    assert "KEY-1" not in texts.pop()
