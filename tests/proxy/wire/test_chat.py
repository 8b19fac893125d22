"""The wire module of chat completions: what is read, what is put back, and what is left as it came."""

import pytest

from guard.errors import BadRequest, TooLarge, UpstreamError
from guard.metrics import Turn
from guard.proxy.wire.chat import Chat
from guard.proxy.wire.chat_stream import deltas
from guard.stages.placeholders import Placeholders

chat = Chat()
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def body(*messages, **more):
    return {"model": "m", "messages": list(messages), **more}


def user(content):
    return {"role": "user", "content": content}


def upper(turn, side="input"):
    return turn.with_passages(side, [text.upper() for text in turn.passages(side)])


def test_users_tools_and_unknown_roles_are_read_and_the_apps_and_the_models_own_words_are_not():
    turn = chat.read_request(
        body(
            {"role": "system", "content": "be kind"},
            {"role": "developer", "content": "be brief"},
            user("hello"),
            {"role": "assistant", "content": "hi"},
            {"role": "tool", "tool_call_id": "1", "content": "42 degrees"},
            {"role": "narrator", "content": "meanwhile"},
        ),
        {},
    )
    assert turn.passages("input") == ("hello", "meanwhile")
    assert turn.passages("tool_result") == ("42 degrees",)


def test_only_the_changed_texts_differ_in_the_body_that_is_passed_on():
    sent = body(
        user([{"type": "text", "text": "a", "cache": {"x": 1}}, IMAGE, {"type": "text", "text": "b"}]),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
        },
        user("c"),
        temperature=0.1,
        unknown={"deep": [1, None]},
    )
    before = chat.read_request(sent, {})
    passed = chat.write_request(sent, before, upper(before), Placeholders())
    assert passed["messages"][0]["content"] == [
        {"type": "text", "text": "A", "cache": {"x": 1}},
        IMAGE,
        {"type": "text", "text": "B"},
    ]
    assert passed["messages"][1] is sent["messages"][1]
    assert passed["messages"][2]["content"] == "C"
    assert {key: passed[key] for key in ("temperature", "unknown", "model")} == {
        "temperature": 0.1,
        "unknown": {"deep": [1, None]},
        "model": "m",
    }


def test_a_body_nobody_changed_is_the_same_object():
    sent = body(user("hello"))
    turn = chat.read_request(sent, {})
    assert chat.write_request(sent, turn, turn, Placeholders()) is sent


def test_parts_that_are_no_text_are_counted_as_unread_by_kind():
    parts = [IMAGE, {"type": "text", "text": "a"}, {"type": "input_audio"}, IMAGE, {"type": "hologram"}]
    assert chat.unread(body(user(parts), user("b"))) == {"image": 2, "audio": 1, "other": 1}


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"messages": [user("a")]}, "model"),
        ({"model": 7, "messages": [user("a")]}, "model"),
        ({"model": "m"}, "messages"),
        (body(), "messages"),
        ({"model": "m", "messages": "hello"}, "messages"),
        (body("hello"), "messages[0]"),
        (body({"content": "a"}), "messages[0].role"),
        (body(user("a"), {"role": None, "content": "a"}), "messages[1].role"),
        (body(user(7)), "messages[0].content"),
        (body(user({"text": "a"})), "messages[0].content"),
        (body(user(["a"])), "messages[0].content[0]"),
        (body(user([{"text": "a"}])), "messages[0].content[0]"),
        (body(user([{"type": "text", "text": ["a"]}])), "messages[0].content[0].text"),
        (body(user("a"), stream="yes"), "stream"),
    ],
)
def test_a_body_whose_shape_is_not_understood_is_refused_by_the_name_of_the_field(sent, param):
    with pytest.raises(BadRequest) as raised:
        chat.validate(sent, 100)
    assert raised.value.param == param
    assert f"'{param}'" in str(raised.value)


def test_more_messages_than_the_limit_are_too_large():
    with pytest.raises(TooLarge):
        chat.validate(body(*[user("a")] * 4), 3)


def answer(**message):
    return {
        "id": "1",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "logprobs": {"content": []}}],
    }


def test_every_text_of_an_answer_is_read_reasoning_and_refusals_too():
    given = answer(content="a", reasoning_content="b", refusal="c", audio={"id": "x"})
    assert chat.read_answer(given, Turn()).output == ("a", "b", "c")


def test_what_no_list_of_fields_foresees_is_read_too_and_what_is_no_text_is_not():
    given = answer(
        content=[{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}, {"type": "text", "text": "b"}],
        audio={"id": "x", "data": "UklGRg==", "transcript": "c"},
        images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
        annotations=[{"type": "url_citation", "url_citation": {"url": "https://d.example", "title": "e"}}],
    )
    turn = chat.read_answer(given, Turn())
    assert turn.output == ("a", "b", "c", "https://d.example", "e")
    written = chat.write_answer(given, [text.upper() for text in turn.output], [])
    assert written["choices"][0]["message"]["content"][0]["thinking"][0]["text"] == "A"
    assert written["choices"][0]["message"]["audio"] == {"id": "x", "data": "UklGRg==", "transcript": "C"}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "data: what is said may begin so"},
        {"content": "data:image/png;base64,AAAA"},
        {"annotations": [{"url": "data:text/plain,said"}]},
        {"images": [{"url": "data:image/png;base64,AAAA and what is said"}]},
    ],
)
def test_text_is_not_taken_for_an_image_because_it_begins_like_one(message):
    assert len(chat.read_answer(answer(**message), Turn()).output) == 1


def test_text_that_stands_beside_what_is_read_does_not_go_out():
    whole = answer(content="read")
    whole["choices"][0].update(text="unread", delta={"content": "unread"})
    assert "unread" not in str(chat.write_answer(whole, ["read"], []))
    chunk = {
        "choices": [{"index": 0, "delta": {"content": "read"}, "text": "unread", "message": {"content": "unread"}}]
    }
    assert [delta for _, _, delta in deltas(chunk)] == [{"content": "read"}]
    assert "unread" not in str(chunk)


def test_an_answer_that_is_nested_too_deeply_to_be_read_is_refused():
    content: list = []
    for _ in range(50):
        content = [content]
    with pytest.raises(UpstreamError, match="deep"):
        chat.read_answer(answer(content=content), Turn())


def test_tool_calls_of_both_forms_are_read_and_their_arguments_put_back():
    given = answer(
        content=None,
        tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        function_call={"name": "g", "arguments": "{}"},
    )
    given["choices"][0]["message"]["tool_calls"].append({"id": "2", "custom": {"name": "h", "input": "free"}})
    turn = chat.read_answer(given, Turn())
    calls = [(call.name, call.arguments) for call in turn.tool_calls]
    assert calls == [("f", '{"a":1}'), ("h", "free"), ("g", "{}")]
    written = chat.write_answer(given, turn.output, ['{"a":2}', "free", "{}"])
    assert written["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"a":2}'


def test_log_probabilities_leave_with_the_text_they_spell_out_and_stay_with_text_that_stays():
    changed = chat.write_answer(answer(content="secret"), ["[SECRET_1]"], [])
    assert changed["choices"][0]["message"]["content"] == "[SECRET_1]"
    assert "logprobs" not in changed["choices"][0]
    assert "logprobs" in chat.write_answer(answer(content="same"), ["same"], [])["choices"][0]


@pytest.mark.parametrize("given", [{}, {"choices": None}, {"choices": ["a"]}, {"choices": [{"text": "a"}]}])
def test_an_answer_that_is_no_chat_completion_is_the_upstreams_error(given):
    with pytest.raises(UpstreamError):
        chat.read_answer(given, Turn())


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": {}},
        {"choices": ["a"]},
        {"choices": [{"delta": "a"}]},
        {"choices": [{"message": {"content": "a"}}]},
        {"choices": [{"delta": None, "text": "a"}]},
    ],
)
def test_a_chunk_that_is_no_chat_completion_is_the_upstreams_error(chunk):
    with pytest.raises(UpstreamError):
        list(deltas(chunk))


def test_an_override_carries_the_streams_id_on_and_ends_every_open_choice():
    stream = chat.streaming(body(user("a")))
    seen = {"id": "chatcmpl-7", "created": 5, "model": "real"}
    open_choices = [{"index": index, "delta": {"role": "assistant", "content": ""}} for index in (0, 1, 2)]
    said = [{"index": 0, "delta": {"content": "well"}}, {"index": 2, "delta": {}, "finish_reason": "stop"}]
    for choices in (open_choices, said):
        list(stream.read({**seen, "choices": choices}))
        stream.left({**seen, "choices": choices})
    chunks = list(stream.override("No."))
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-7"}
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["\n\nNo.", "No.", None, None]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [
        None,
        None,
        "content_filter",
        "content_filter",
    ]
