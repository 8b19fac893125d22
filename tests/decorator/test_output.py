"""What a protected handler gives, whole, and what it gives instead of what is blocked."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

import guard
from tests.decorator.shapes import BAD, PII, POLICY, Asked, completion, content
from tests.fakes import SORRY, fixed, guard_of, override, policy_of, redact, rule, spotting


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        (str, None),
        (completion, None),
        (lambda text: ChatCompletion.model_validate(completion(text)), None),
        (lambda text: {"role": "assistant", "content": text}, None),
        (AIMessage, None),
        (lambda text: {"answer": text, "sources": ["al@x.io"]}, "answer"),
        (lambda text: Asked(question=text), "question"),
    ],
    ids=["str", "completion", "ChatCompletion", "message", "AIMessage", "path", "model"],
)
def test_an_answer_keeps_its_shape_whatever_became_of_its_text(shape, found):
    @guard.protect(policy=POLICY, output=found)
    def chat(question: str) -> Any:
        return shape(question)

    for question, expected in [("hello", "hello"), ("To [X_1] jo@x.io", "To [X_1] jo@x.io")]:
        assert chat(question) == shape(expected)
    answering = guard.protect(policy=POLICY, output=found)(lambda question: shape("al@x.io or bomb"[: int(question)]))
    assert answering("7") == shape("[EMAIL_1]")
    blocked = answering("99")
    assert type(blocked) is type(shape(""))
    assert content(blocked) == SORRY


def test_a_blocked_completion_says_so_and_carries_nothing_of_what_it_was():
    @guard.protect(policy=POLICY)
    def chat(question: str) -> ChatCompletion:
        answer = completion("a bomb", [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}])
        answer["choices"].append({**answer["choices"][0], "index": 1})
        return ChatCompletion.model_validate(answer)

    answer = chat("hi")
    [choice] = answer.choices
    assert choice.finish_reason == "content_filter"
    assert choice.message.tool_calls is None
    assert (answer.id, answer.model) == ("c1", "m")


def test_every_choice_and_every_text_of_a_completion_is_read():
    @guard.protect(policy=POLICY)
    def chat(question: str) -> dict[str, Any]:
        answer = completion("al@x.io")
        second = {"role": "assistant", "content": None, "refusal": "not for jo@x.io", "reasoning": "hm, jo@x.io"}
        answer["choices"].append({"index": 1, "message": second, "finish_reason": "stop"})
        return answer

    first, second = (choice["message"] for choice in chat("hi")["choices"])
    assert first["content"] == "[EMAIL_1]"
    assert (second["refusal"], second["reasoning"]) == ("not for [EMAIL_2]", "hm, [EMAIL_2]")


def called_whole(arguments: dict[str, Any]) -> ChatCompletion:
    call = {"id": "1", "type": "function", "function": {"name": "mail", "arguments": json.dumps(arguments)}}
    return ChatCompletion.model_validate(completion(None, [call]))


def called_by_langchain(arguments: dict[str, Any]) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "mail", "args": arguments, "id": "1"}])


def arguments_of(answer: Any) -> Any:
    if isinstance(answer, AIMessage):
        return answer.tool_calls[0]["args"]
    return json.loads(answer.choices[0].message.tool_calls[0].function.arguments)


@pytest.mark.parametrize("called", [called_whole, called_by_langchain])
def test_the_arguments_of_tool_calls_are_read_by_their_stage_and_restored(called):
    rulesets = [override("bad", text="no such tool"), redact("pii", mask="stars")]
    quoted = spotting("quoted", r'"\w+"')
    policy = policy_of(PII, BAD, quoted, input=[redact("quoted", restore=True)], tool_call=rulesets)
    protected = guard.protect(policy=policy)(lambda question: called({"to": question, "cc": question[:4]}))
    assert arguments_of(protected('say "hi"')) == {"to": 'say "hi"', "cc": "say "}
    assert arguments_of(protected("al@x.io")) == {"to": "*******", "cc": "al@x"}
    assert content(protected("the bomb")) == "no such tool"


def test_arguments_of_which_a_redaction_leaves_no_json_are_not_passed_on():
    policy = policy_of(spotting("digits", r"\d+"), tool_call=[redact("digits")])
    protected = guard.protect(policy=policy)(lambda question: called_by_langchain({"number": 12}))
    with pytest.raises(guard.SettingsError, match="use override"):
        protected("hi")


def test_where_there_is_no_text_there_is_nothing_to_check():
    kept, events = guard_of(policy_of(fixed("m", 1.0), output=[override(rule("m", "gt", 0.5))]))
    assert guard.protect(kept)(lambda question: None)("hi") is None
    assert events == []


@pytest.mark.parametrize(
    "answer",
    [
        {"role": "assistant", "content": {"text": "bad"}},
        {"role": "assistant", "content": b"bad"},
        {"role": "assistant", "content": [{"type": "text", "text": {"value": "bad"}}]},
        {"role": "assistant", "content": [["bad"]]},
        {"choices": [{"text": "bad"}]},
        {"choices": "bad"},
    ],
)
def test_text_in_a_shape_that_nobody_reads_is_not_passed_on(answer):
    with pytest.raises(guard.SettingsError, match="neither text"):
        guard.protect(POLICY)(lambda question: answer)("hello")


def test_parts_that_are_no_text_are_passed_on():
    answer = {
        "role": "assistant",
        "content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "a", "text": None}],
    }
    assert guard.protect(POLICY)(lambda question: answer)("hello") == answer


def test_an_answer_of_unknown_shape_is_not_passed_on():
    protected = guard.protect(policy=POLICY)(lambda question: Asked(question="fine"))
    with pytest.raises(guard.SettingsError, match=r"\(Asked, whose texts are: question, user\); say"):
        protected("hi")


@pytest.mark.parametrize("late", [lambda: iter(["x"]), lambda: asyncio.Future(loop=asyncio.new_event_loop())])
def test_an_answer_that_is_still_to_come_is_not_passed_on(late):
    protected = guard.protect(policy=POLICY)(lambda question: late())
    with pytest.raises(guard.SettingsError, match="yield from"):
        protected("hi")


def test_a_function_finds_the_answers_text_but_cannot_replace_it():
    protected = guard.protect(policy=POLICY, output=lambda answer: answer["a"]["b"])(
        lambda question: {"a": {"b": question}}
    )
    assert protected("hi") == {"a": {"b": "hi"}}
    with pytest.raises(guard.SettingsError, match="output='answer'"):
        protected("To jo@x.io")


class Said(BaseModel):
    answer: str
    sources: list[str] = []


class Strict(BaseModel):
    answer: str
    cost: float


class Typed(TypedDict):
    answer: str


@pytest.mark.parametrize(
    ("declared", "found", "expected"),
    [
        (str, None, SORRY),
        (str | None, None, SORRY),
        (Strict | str, None, SORRY),
        (Annotated[str, "text"], None, SORRY),
        (Any, None, SORRY),
        (inspect.Parameter.empty, None, SORRY),
        ("NotKnownHere", None, SORRY),
        (Said, "answer", Said(answer=SORRY)),
        (dict[str, Any], "reply.text", {"reply": {"text": SORRY}}),
        (Typed, "answer", {"answer": SORRY}),
        (inspect.Parameter.empty, "answer", {"answer": SORRY}),
        (AIMessage, None, AIMessage(SORRY)),
    ],
)
def test_a_blocked_input_is_answered_by_what_the_handler_declares(declared, found, expected):
    def chat(question: str):
        return "never"

    if declared is not inspect.Parameter.empty:
        chat.__annotations__["return"] = declared
    assert guard.protect(policy=POLICY, output=found)(chat)("a bomb") == expected


def test_a_blocked_input_is_answered_by_a_completion_where_one_is_declared():
    @guard.protect(policy=POLICY)
    def chat(messages: list[dict[str, Any]]) -> ChatCompletion:
        raise AssertionError

    answer = chat([{"role": "user", "content": "a bomb"}])
    assert content(answer) == SORRY
    assert answer.choices[0].finish_reason == "content_filter"
    assert ChatCompletion.model_validate(answer.model_dump()) == answer


@pytest.mark.parametrize(("declared", "found"), [(Strict, "answer"), (int, None), (dict, None), (Said, None)])
def test_what_the_policys_answer_cannot_be_made_into_raises_with_the_fix(declared, found):
    def chat(question: str):
        return "never"

    chat.__annotations__["return"] = declared
    with pytest.raises(guard.SettingsError, match="on_block='raise'"):
        guard.protect(policy=POLICY, output=found)(chat)("a bomb")
