"""What a protected handler takes, and where the text in it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

import guard
from guard.metrics.registry import REGISTRY
from tests.decorator.shapes import BAD, POLICY, Asked
from tests.fakes import SORRY, override, policy_of


@dataclass(frozen=True)
class Order:
    text: str


def test_messages_are_read_but_for_the_developers_and_the_models_own():
    heard = []

    @guard.protect(policy=POLICY)
    def chat(messages: list[dict[str, Any]]) -> str:
        heard.extend(messages)
        return "fine"

    messages = [
        {"role": "system", "content": "Mail bomb@x.io about a bomb"},
        {"role": "assistant", "content": "a bomb?"},
        {"role": "user", "content": [{"type": "text", "text": "I am jo@x.io"}, {"type": "image_url", "image_url": {}}]},
        {"role": "user", "content": "al@x.io", "name": "al"},
    ]
    assert chat(messages) == "fine"
    assert heard[:2] == messages[:2]
    assert heard[2]["content"] == [{"type": "text", "text": "I am [EMAIL_1]"}, {"type": "image_url", "image_url": {}}]
    assert heard[3] == {"role": "user", "content": "[EMAIL_2]", "name": "al"}
    assert messages[3]["content"] == "al@x.io"
    assert chat([{"role": "user", "content": "a bomb"}]) == SORRY


def test_what_nobody_can_read_is_refused_where_the_policy_says_so():
    @guard.protect(policy=policy_of(REGISTRY["unread"], input=[override("unread")]))
    def chat(messages: list[Any]) -> str:
        return "fine"

    picture: list[Any] = [{"type": "image_url", "image_url": {}}]
    assert chat([HumanMessage("hello")]) == "fine"
    assert chat([HumanMessage(picture)]) == SORRY
    assert chat([{"role": "user", "content": [{"type": "text", "text": "look"}, *picture]}]) == SORRY


def test_what_a_tool_said_is_checked_by_its_own_stage():
    policy = policy_of(BAD, tool_result=[override("bad", text="not from a tool")])

    @guard.protect(policy=policy)
    def chat(messages: list[dict[str, Any]]) -> str:
        return "fine"

    assert chat([{"role": "user", "content": "a bomb"}]) == "fine"
    assert chat([{"role": "tool", "content": "a bomb", "tool_call_id": "1"}]) == "not from a tool"


@pytest.mark.parametrize("found", ["request.question", "question"])
def test_a_path_finds_the_text_in_a_request_model(found):
    heard = []

    @guard.protect(policy=POLICY, input=found)
    def chat(request: Asked) -> str:
        heard.append(request)
        return "fine"

    asked = Asked(question="I am jo@x.io", user="u2")
    assert chat(asked) == "fine"
    assert heard == [Asked(question="I am [EMAIL_1]", user="u2")]
    assert asked.question == "I am jo@x.io"
    assert chat(request=Asked(question="a bomb")) == SORRY


USER, HIDDEN = {"role": "user", "content": "jo@x.io"}, {"role": "user", "content": "[EMAIL_1]"}
SYSTEM = SystemMessage("al@x.io")


@pytest.mark.parametrize(
    ("value", "found", "left"),
    [
        ({"a": [{"q": "jo@x.io"}], "b": 1}, "value.a.0.q", {"a": [{"q": "[EMAIL_1]"}], "b": 1}),
        (Order("jo@x.io"), "value.text", Order("[EMAIL_1]")),
        (("x", "jo@x.io"), "value.1", ("x", "[EMAIL_1]")),
        ({"messages": [USER], "n": 1}, "value.messages", {"messages": [HIDDEN], "n": 1}),
        (USER, None, HIDDEN),
        (HumanMessage("jo@x.io"), None, HumanMessage("[EMAIL_1]")),
        ([SYSTEM, HumanMessage("jo@x.io")], None, [SYSTEM, HumanMessage("[EMAIL_1]")]),
        ([HumanMessage(["jo@x.io"])], None, [HumanMessage(["[EMAIL_1]"])]),
        ("jo@x.io", "value", "[EMAIL_1]"),
        (None, None, None),
    ],
)
def test_the_text_is_redacted_where_it_stands_and_nothing_else_changes(value, found, left):
    heard = []
    before = repr(value)

    @guard.protect(policy=POLICY, input=found)
    def chat(value: Any) -> str:
        heard.append(value)
        return "fine"

    assert chat(value) == "fine"
    assert heard == [left]
    assert repr(value) == before


def test_an_object_of_any_class_gets_a_copy_with_the_redacted_text():
    class Request:
        def __init__(self, text: str) -> None:
            self.text = text

    request, heard = Request("jo@x.io"), []

    @guard.protect(policy=POLICY, input="request.text")
    def chat(request: Request) -> str:
        heard.append(request.text)
        return "fine"

    chat(request)
    assert (heard, request.text) == (["[EMAIL_1]"], "jo@x.io")


def test_a_function_finds_the_text_but_cannot_say_where_a_redacted_one_goes():
    @guard.protect(policy=POLICY, input=lambda *parts, **options: " ".join(parts))
    def chat(*parts: str, **options: str) -> str:
        return " ".join(parts)

    assert chat("a", "question", user="u1") == "a question"
    assert chat("a", "bomb") == SORRY
    with pytest.raises(guard.SettingsError, match=r"name the place, as in input='request\.question'"):
        chat("I am", "jo@x.io")


def test_another_parameter_can_hold_the_text_also_by_its_default():
    @guard.protect(policy=POLICY, input="question")
    def chat(user: str, *, question: str = "a bomb") -> str:
        return "fine"

    assert chat("bomb", question="hi") == "fine"
    assert chat("u1") == SORRY


def test_a_value_without_text_stops_the_call_and_the_error_says_what_there_is():
    protected = guard.protect(policy=POLICY)(lambda request: "never")
    with pytest.raises(guard.SettingsError, match=r"\(Asked, whose texts are: question, user\); say where the text is"):
        protected(Asked(question="hi"))
    with pytest.raises(guard.SettingsError, match="neither text nor messages"):
        protected(["hi"])


@pytest.mark.parametrize("content", [{"text": "bad"}, b"bad", [["bad"]], [{"type": "text", "text": {"value": "bad"}}]])
def test_text_in_a_shape_that_nobody_reads_stops_the_call(content):
    with pytest.raises(guard.SettingsError, match="would go unread"):
        guard.protect(POLICY)(lambda messages: "called")([{"role": "user", "content": content}])


def test_a_path_that_leads_nowhere_stops_the_call():
    for found in ("request.answer", "request.question.0"):
        protected = guard.protect(policy=POLICY, input=found)(lambda request: "never")
        with pytest.raises(guard.SettingsError, match="where there is none"):
            protected(Asked(question="hi"))


def test_a_handler_without_parameters_is_refused_when_it_is_decorated():
    with pytest.raises(guard.SettingsError, match="input=lambda"):

        @guard.protect(policy=POLICY)
        def chat(*args: str) -> str:
            return "never"


def test_wrong_arguments_raise_what_the_handler_would_have_raised():
    protected = guard.protect(policy=POLICY)(lambda question: question)
    with pytest.raises(TypeError, match="missing a required argument: 'question'"):
        protected()  # type: ignore[call-arg] - the claim
