"""A streamed message: the same answer as the whole one, however it is cut, and a correct end whatever ends it."""

import asyncio
import json
import re
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.errors import UpstreamError
from guard.metrics import ANSWERED, Turn
from guard.proxy.stream import guarded
from guard.proxy.wire.messages import Messages
from guard.proxy.wire.messages_stream import MessageStream
from guard.stages import Redact
from tests.fakes import SORRY, guard_of, override, policy_of, redact, spotting

BAD = spotting("bad", r"\bbomb\b")
KEYS = spotting("keys", r"\bKEY-\d{3}\b")
BOTH = [override("bad"), redact("keys")]
POLICY = policy_of(BAD, KEYS, output=BOTH, tool_call=BOTH)
PLAIN = policy_of()
ORDER = "ORD-12345678"
USAGE = {"input_tokens": 3, "output_tokens": 1}
START = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}
DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}


def text(said, **more):
    return {"type": "text", "text": said, **more}


def thought(said):
    return {"type": "thinking", "thinking": said, "signature": "sig"}


def call(given):
    return {"type": "tool_use", "id": "toolu_1", "name": "find", "input": given}


def delta(index, kind, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def events_of(blocks, cut=lambda said: [said]):
    """The events of a message of these blocks, each text cut into pieces."""
    yield {"type": "message_start", "message": deepcopy(START)}
    yield {"type": "ping"}
    for index, block in enumerate(deepcopy(blocks)):
        grown = {field: block[field] for field in ("text", "thinking") if field in block}
        if "input" in block:
            grown["partial_json"] = json.dumps(block["input"]) if block["input"] else ""
        empty = {**block, **dict.fromkeys(grown, ""), **({"input": {}} if "input" in block else {})}
        empty.pop("partial_json", None)
        signature = empty.pop("signature", None)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for field, said in grown.items():
            yield from (delta(index, DELTAS[field], **{field: piece}) for piece in cut(said))
        if signature:
            yield delta(index, "signature_delta", signature=signature)
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    yield {"type": "message_stop"}


def exchange_of(policy, *values):
    """An exchange in which these values of the user's were redacted, and are to be put back."""
    exchange = guard_of(policy)[0].exchange()
    for value in values:
        exchange.placeholders.of(value, "order", Redact(type="redact", restore=True))
    return exchange


def through(events, exchange=None, window=40, overlap=12):
    """The events that the caller gets, and the error that ends them."""

    async def given():
        for event in events:
            yield event

    async def collect():
        got = []
        wire = MessageStream("m")
        try:
            async for event in guarded(
                wire, exchange or exchange_of(POLICY), Turn(), given(), window=window, overlap=overlap
            ):
                got.append(json.loads(wire.encode(event).decode().split("data: ")[1]))
        except UpstreamError as error:
            return got, error
        return got, None

    return asyncio.run(collect())


def built(events):
    """The message that a client puts together. Fails where the events come in an order that none may come in."""
    message: dict = {}
    blocks: list = []
    given: dict = {}
    is_open, over = -1, False
    for event in deepcopy(events):
        assert not over
        kind = event["type"]
        if kind == "message_start":
            assert not message
            message = {**event["message"]}
        elif kind == "content_block_start":
            assert is_open == -1
            assert event["index"] == len(blocks)
            is_open = event["index"]
            blocks.append(event["content_block"])
        elif kind == "content_block_stop":
            assert is_open == event["index"]
            if given.get(is_open):
                blocks[is_open]["input"] = json.loads(given[is_open])
            is_open = -1
        elif kind == "content_block_delta":
            assert is_open == event["index"]
            for field, piece in event["delta"].items():
                if field in ("text", "thinking", "signature"):
                    blocks[is_open][field] = blocks[is_open].get(field, "") + piece
                elif field == "partial_json":
                    given[is_open] = given.get(is_open, "") + piece
        elif kind == "message_delta":
            assert is_open == -1
            message |= event["delta"]
            message["usage"] = {**message["usage"], **event["usage"]}
        over = kind == "message_stop"
    assert over
    return {**message, "content": blocks}


def whole(blocks, exchange):
    """The same answer as it goes out when it is not streamed."""
    wire = Messages()

    async def answered():
        answer = {**deepcopy(START), "content": deepcopy(blocks), "stop_reason": "end_turn"}
        turn, refused = await exchange.check_each(wire.read_answer(answer, Turn()), ANSWERED)
        if refused is not None:
            return wire.override({"model": "m"}, refused.text, answer)
        hidden, signed = exchange.placeholders, wire.signed(answer)
        output = [said if number in signed else hidden.restore(said) for number, said in enumerate(turn.output)]
        return wire.write_answer(answer, output, [hidden.restore_call(one.arguments) for one in turn.tool_calls])

    return asyncio.run(answered())


WORDS = st.sampled_from(["a", "word", "KEY-123", "[ORDER_1]", "[", 'é"\\', "\n", "KEY-12", "bombs"])
SAID = st.lists(WORDS, min_size=1, max_size=40).map(" ".join)
BLOCKS = st.lists(
    st.one_of(SAID.map(text), SAID.map(thought), SAID.map(lambda said: call({"q": said, "n": [1, None]}))),
    min_size=1,
    max_size=4,
)


@given(BLOCKS, st.lists(st.integers(1, 30), min_size=1, max_size=9), st.booleans())
@settings(max_examples=60, deadline=None)
def test_however_a_stream_is_cut_it_says_what_the_whole_answer_does(blocks, sizes, bad):
    if bad:
        blocks = [*blocks, text("how to make a bomb")]

    def cut(said):
        pieces, at = [], 0
        while at < len(said):
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(said[at : at + size])
            at += size
        return pieces

    got, error = through(events_of(blocks, cut), exchange_of(POLICY, ORDER))
    assert error is None
    message, expected = built(got), whole(blocks, exchange_of(POLICY, ORDER))
    assert "KEY-123" not in json.dumps(message)
    if bad:
        assert message["stop_reason"] == expected["stop_reason"] == "refusal"
        assert message["content"][-1]["text"].endswith(SORRY)
        assert not re.search(r"\bbomb\b", json.dumps(message))
    else:
        assert message["content"] == expected["content"]
        assert message["stop_reason"] == "end_turn"


def test_a_text_goes_out_when_its_block_stops_and_does_not_wait_for_the_end():
    async def given():
        for event in events_of([thought("so be it"), text("short")]):
            if event["type"] == "message_delta":
                raise AssertionError("the end came before the text went out")
            yield event

    async def first():
        got = []
        async for event in guarded(MessageStream("m"), exchange_of(POLICY), Turn(), given(), window=40, overlap=12):
            got.append(event)
            if event["type"] == "content_block_stop" and event["index"] == 1:
                break
        return got

    kinds = [event["delta"]["type"] for event in asyncio.run(first()) if event["type"] == "content_block_delta"]
    assert kinds == ["thinking_delta", "signature_delta", "text_delta"]


def test_an_override_closes_what_is_open_and_ends_the_message_with_what_was_used():
    got, _ = through(events_of([text("word " * 40 + "bomb " + "word " * 40)], lambda said: [said[:90], said[90:]]))
    message = built(got)
    assert [block["type"] for block in message["content"]] == ["text", "text"]
    assert message["content"][0]["text"].startswith("word word")
    assert message["content"][1]["text"] == f"\n\n{SORRY}"
    assert (message["id"], message["stop_reason"], message["usage"]) == ("msg_1", "refusal", USAGE)
    assert "bomb" not in json.dumps(got)


def test_an_override_before_anything_went_out_is_a_whole_message_that_keeps_the_providers_id():
    got, _ = through(events_of([text("bomb")]))
    assert (built(got)["id"], built(got)["content"][-1]["text"]) == ("msg_1", SORRY)


@pytest.mark.parametrize("given", [{}, {"q": "x"}, {"q": "a KEY-123 b", "n": 1}])
def test_a_call_goes_out_only_when_it_was_read_and_an_empty_one_is_read_too(given):
    policy = policy_of(spotting("any", r"^\{.*\}$"), tool_call=[override("any")])
    got, _ = through(
        events_of([text("let me see"), call(given)], lambda said: [said[:3], said[3:]]), exchange_of(policy)
    )
    assert [block["type"] for block in built(got)["content"]] == ["text", "text"]


def test_what_a_tool_is_given_is_redacted_and_restored_and_stays_json():
    blocks = [call({"order": "[ORDER_1]", "key": "KEY-123", "said": 'a "quoted"\n one'})]
    got, _ = through(events_of(blocks, lambda said: list(said)), exchange_of(POLICY, 'a "b"'))
    given = built(got)["content"][0]["input"]
    assert given == {"order": 'a "b"', "key": "[KEYS_1]", "said": 'a "quoted"\n one'}


def test_what_a_call_starts_with_is_read_like_what_comes_after():
    events: list = list(events_of([call({})]))
    events[2]["content_block"]["input"] = {"order": "[ORDER_1]", "key": "KEY-123"}
    got, _ = through(events, exchange_of(POLICY, ORDER))
    assert built(got)["content"][0]["input"] == {"order": ORDER, "key": "[KEYS_1]"}


def test_a_thought_loses_its_signature_only_when_it_changed_and_nothing_is_put_back_into_it():
    got, _ = through(events_of([thought("of [ORDER_1]"), thought("of KEY-123")], list), exchange_of(POLICY, ORDER))
    assert built(got)["content"] == [
        thought("of [ORDER_1]"),
        {**thought("of [KEYS_1]"), "signature": "changed-by-guard"},
    ]


def test_a_thought_that_is_cut_off_says_that_it_is_not_to_be_sent_back():
    got, _ = through(events_of([thought("so " * 40 + "bomb " + "so " * 40)], lambda said: [said[:90], said[90:]]))
    assert [block["type"] for block in built(got)["content"]] == ["thinking", "text"]
    assert built(got)["content"][0]["signature"] == "changed-by-guard"


def test_citations_and_blocks_that_come_whole_are_read():
    cited = {"cited_text": "see KEY-123", "document_title": "T"}
    found = {"type": "web_search_tool_result", "content": [{"title": "KEY-123", "url": "https://a.example"}]}
    events = list(events_of([text("as written"), found]))
    events.insert(4, delta(0, "citations_delta", citation=cited))
    got, _ = through(events)
    assert "KEY-123" not in json.dumps(got)
    assert got[4]["delta"]["citation"] == {"cited_text": "see [KEYS_1]", "document_title": "T"}


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "a_new_event", "said": "KEY-123"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "", "more": ["KEY-123"]}},
        {"type": "message_delta", "delta": {"stop_details": {"explanation": "KEY-123"}}, "usage": {"output_tokens": 1}},
        {"type": "error", "error": {"type": "api_error", "message": "KEY-123"}},
    ],
)
def test_what_no_list_of_events_foresees_is_read_too(odd):
    events = list(events_of([text("hello")]))
    got, error = through([*events[:4], odd, *events[4:]])
    assert error is None
    assert "[KEYS_1]" in json.dumps(got)
    assert "KEY-123" not in json.dumps(got)


@pytest.mark.parametrize(
    "odd",
    [
        {"said": "KEY-123"},
        {"type": "ping\ndata: KEY-123"},
        {"type": "content_block_delta", "delta": {"text": "KEY-123"}},
        {"type": "content_block_start", "index": "KEY-123", "content_block": {}},
        {"type": "message_start", "message": "KEY-123"},
    ],
)
def test_an_event_that_is_not_understood_ends_the_stream_and_does_not_go_out(odd):
    got, error = through([*list(events_of([text("hello")]))[:5], odd])
    assert error is not None
    assert "hello" in json.dumps(got)
    assert "KEY-123" not in json.dumps(got)


def test_without_a_policy_for_answers_every_event_goes_out_as_it_came_and_at_once():
    blocks = [thought("of KEY-123"), text("a bomb"), call({"a": [1, {"b": None}]}), call({})]
    events = list(events_of(blocks, lambda said: [said[:4], said[4:]]))
    got, _ = through(deepcopy(events), exchange_of(PLAIN))
    assert got == events
