"""What an answer says around what its protocol foresees: it reaches the caller, so it is read like the rest."""

from copy import deepcopy

import pytest

from guard.metrics import Turn
from guard.proxy.calls import Calls
from guard.proxy.wire.chat import Chat
from guard.proxy.wire.completions import Completions
from tests.fakes import fixed, guard_of, override, policy_of, rule

chat = Chat()
ASKED = {"model": "m", "messages": [{"role": "user", "content": "a"}]}


def answer(**message):
    return {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", **message}}]}


AROUND = [
    {"search_results": [{"title": "said"}]},
    {"citations": ["said"]},
    {"error": {"message": "said", "code": None}},
]


@pytest.mark.parametrize("more", AROUND)
def test_what_an_answer_says_beside_its_choices_is_read_whole_and_streamed(more):
    whole = {**answer(content="fine"), **deepcopy(more)}
    assert chat.read_answer(whole, Turn()).output == ("fine", "said")
    assert "said" not in str(chat.write_answer(whole, ["fine", "[GONE]"], []))
    chunk, stream = {"choices": [{"index": 0, "delta": {"content": "fine"}}], **more}, chat.streaming(ASKED)
    assert [place.value for place in stream.read(chunk)] == ["fine"]
    [place] = stream.repeats(chunk)
    assert (place.value, place.text in stream.ended(chunk)) == ("said", True)


def test_what_a_choice_says_beside_its_message_is_read_and_what_tells_how_it_ended_is_not():
    beside = {"raw_output": {"completion": "said"}, "finish_reason": "stop", "stop_reason": "###"}
    whole = answer(content="fine")
    whole["choices"][0].update(beside)
    assert chat.read_answer(whole, Turn()).output == ("fine", "said")
    chunk = {"choices": [{"index": 0, "delta": {"content": "fine"}, **beside}]}
    assert [place.value for place in chat.streaming(ASKED).read(chunk)] == ["fine", "said"]


@pytest.mark.parametrize(
    "calls", [[{"id": "1", "type": "mcp", "mcp": {"arguments": "said"}}], {"a": {"function": {"arguments": "said"}}},
              [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}", "because": "said"}}]]
)  # fmt: skip
def test_a_text_in_a_call_that_is_none_of_its_arguments_is_read(calls):
    assert chat.read_answer(answer(content=None, tool_calls=calls), Turn()).output == ("said",)
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": calls}}]}
    read = chat.streaming(ASKED).read(chunk)
    assert [place.value for place in read if place.side == "output"] == ["said"]


def tokens(*said):
    return {"content": [{"token": token, "logprob": -1.0, "bytes": None, "top_logprobs": []} for token in said]}


def test_tokens_that_say_more_than_the_texts_are_read_and_leave_when_that_is_changed():
    given = answer(content="fine")
    given["choices"][0]["logprobs"] = tokens("secret", " fine")
    assert chat.read_answer(given, Turn()).output == ("fine", "secret fine")
    assert "logprobs" in chat.write_answer(given, ["fine", "secret fine"], [])["choices"][0]
    assert "logprobs" not in chat.write_answer(given, ["fine", "[SECRET_1] fine"], [])["choices"][0]


def test_tokens_leave_with_the_arguments_that_they_spell_out():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "secret"}}
    given = answer(content=None, tool_calls=[call])
    given["choices"][0]["logprobs"] = tokens("sec", "ret")
    turn = chat.read_answer(given, Turn())
    assert "secret" not in str(chat.write_answer(given, turn.output, ["[SECRET_1]"]))


@pytest.mark.parametrize("delta", [{"content": ""}, {"content": "fine"}, {}, {"tool_calls": [{"index": 0}]}])
def test_tokens_of_a_text_that_is_still_to_come_do_not_go_out_with_a_chunk(delta):
    chunk = {"choices": [{"index": 0, "delta": delta, "logprobs": tokens("secret")}]}
    list(chat.streaming(ASKED).read(chunk))
    assert chunk["choices"][0]["logprobs"] is None
    said = {"choices": [{"index": 0, "delta": {"content": "fine"}, "logprobs": tokens("fi", "ne")}]}
    list(chat.streaming(ASKED).read(said))
    assert said["choices"][0]["logprobs"] == tokens("fi", "ne")


def piece(arguments, **call):
    function = {"arguments": arguments, **({"name": call.pop("name")} if "name" in call else {})}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **call, "function": function}]}}]}


async def called(*pieces):
    """The calls that are made of these pieces."""
    guard, _ = guard_of(policy_of(fixed("any", 1.0), tool_call=[override(rule("any", "gt", 2))]))
    stream, calls = chat.streaming(ASKED), Calls(guard.exchange(), Turn())
    made = [calls.add(place) for chunk in pieces for place in stream.read(chunk)]
    return [(call.whole.name, call.whole.arguments) for call in dict.fromkeys(made) if call]


async def test_calls_with_one_number_and_ids_of_their_own_are_several():
    calls = await called(piece('{"a":', id="1", name="find"), piece("1}"), piece("{}", id="2", name="pay"))
    assert calls == [("find", '{"a":1}'), ("pay", "{}")]


async def test_a_name_that_is_said_with_each_piece_is_one_name():
    assert await called(piece("{", id="1", name="pay"), piece("}", id="1", name="pay")) == [("pay", "{}")]


async def test_a_name_in_pieces_is_put_together():
    assert await called(piece("{", id="1", name="pa"), piece("}", name="y")) == [("pay", "{}")]


def test_what_a_completion_says_beside_its_choices_is_read_and_so_are_tokens_that_say_more():
    whole = {"choices": [{"text": "fine", "logprobs": {"tokens": ["KEY-1"]}}], "note": "KEY-2"}
    assert Completions().read_answer(whole, Turn()).output == ("fine", "KEY-1", "KEY-2")
    assert "KEY" not in str(Completions().write_answer(whole, ["fine", "[A]", "[B]"], []))


def test_tokens_of_a_completion_that_is_still_to_come_do_not_go_out_with_a_chunk():
    chunk = {"choices": [{"index": 0, "text": "", "logprobs": {"tokens": ["KEY-1"]}}]}
    list(Completions().streaming({"model": "m"}).read(chunk))
    assert chunk["choices"][0]["logprobs"] is None
