"""Texts that stand where few look for them, and reach the model all the same."""

import pytest

from guard.errors import BadRequest
from guard.metrics.turn import ASKED
from guard.proxy.wire.chat import Chat
from guard.stages.placeholders import Placeholders

SAID = "my order is ORD-12345678"


def user(content="hello", **more):
    return {"messages": [{"role": "user", "content": content, **more}]}


#: Bodies in which a text stands somewhere.
PLACES = [
    # vLLM takes these for the part's text, whatever stands under `text`.
    lambda said: user([{"type": "refusal", "refusal": said, "text": "hello"}]),
    lambda said: user([{"type": "thinking", "thinking": said, "text": "hello"}]),
    lambda said: user([{"type": "text", "text": "hello", "title": said}]),
    lambda said: user([{"type": "odd", "deep": [{"er": said}]}]),
    lambda said: user([{"type": "file", "file": {"file_id": "file-1", "filename": said}}]),
    lambda said: user(name=said),
    lambda said: user(reasoning_content=said),
    lambda said: user(tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": said}}]),
    lambda said: {"messages": [{"role": "tool", "tool_call_id": "1", "content": "fine", "artifact": {"data": said}}]},
    lambda said: {**user(), "documents": [{"title": "a", "data": said}]},
    lambda said: {**user(), "documents": [{"id": said}]},
    lambda said: {**user(), "documents": [{"data": {"name": said, "status": "fine"}}]},
    lambda said: {**user(), "functions": [{"name": "f", "description": said}]},
]


def read(body):
    """The turn of a request, whose tools are read too."""
    return Chat().read_request(body, {}).reading({"tools"})


@pytest.mark.parametrize("place", PLACES)
def test_a_text_is_read_wherever_it_stands_in_a_request(place):
    turn = read(place(SAID))
    assert SAID in [text for side in ASKED for text in turn.passages(side)]


@pytest.mark.parametrize("place", PLACES)
def test_a_text_is_redacted_wherever_it_stands_in_a_request_and_nothing_else_changes(place):
    before = after = read(place(SAID))
    for side in ASKED:
        after = after.with_passages(side, [text.replace("ORD-12345678", "[ORDER_1]") for text in after.passages(side)])
    body = Chat().write_request(place(SAID), before, after, Placeholders())
    assert body == place("my order is [ORDER_1]")


def test_what_is_no_text_is_not_read_beside_a_message():
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    body = user([{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}, image])
    said = {"role": "tool", "tool_call_id": "call_1", "name": "find", "content": "found"}
    body["messages"] += [{"role": "assistant", "content": "fine", "reasoning": "hm"}, said]
    assert [message.parts for message in read(body).messages] == [("hello",), ("fine",), ("found",)]


def test_what_is_nested_too_deeply_to_be_read_is_the_callers_mistake():
    document = SAID
    for _ in range(50):
        document = [document]
    with pytest.raises(BadRequest, match="nested"):
        read({**user(), "documents": document})
