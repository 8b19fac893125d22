"""The wire module of Responses: what is read, what is put back, and what is left as it came."""

import pytest

from guard.errors import BadRequest, TooLarge, UpstreamError
from guard.metrics import Turn
from guard.proxy.wire.responses import Responses
from guard.stages.action import Redact
from guard.stages.placeholders import Placeholders
from tests.fake_responses import ScriptedResponses, function_call, message, reasoning, response, text
from tests.proxy.conftest import POLICY

wire = Responses()
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
FILE = {"type": "input_file", "filename": "plan.pdf", "file_data": "data:application/pdf;base64,AAAA"}
DEEP: dict = {"text": "x"}
for _ in range(50):
    DEEP = {"deeper": DEEP}


def body(*items, **more):
    return {"model": "m", "input": list(items), **more}


def user(content):
    return {"role": "user", "content": content}


def asked(sent):
    wire.validate(sent, 1000)
    return wire.read_request(sent, {})


def upper(turn, side="input"):
    return turn.with_passages(side, [text.upper() for text in turn.passages(side)])


def test_a_string_is_what_the_user_says_and_the_instructions_are_the_apps():
    turn = asked({"model": "m", "input": "hello", "instructions": "be kind"})
    assert turn.passages("input") == ("hello",)
    assert [message.role for message in turn.messages] == ["system", "user"]


@pytest.mark.parametrize(
    ("item", "side", "texts"),
    [
        (user("a"), "input", ["a"]),
        ({"role": "user", "content": [{"type": "input_text", "text": "a"}, IMAGE]}, "input", ["a"]),
        ({"role": "user", "content": [FILE]}, "input", ["plan.pdf"]),
        ({"role": "narrator", "content": "a"}, "input", ["a"]),
        ({"role": "developer", "content": "a"}, None, ["a"]),
        ({"type": "function_call_output", "call_id": "1", "output": "a"}, "tool_result", ["a"]),
        (
            {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "a"}, IMAGE]},
            "tool_result",
            ["a"],
        ),
        ({"type": "custom_tool_call_output", "call_id": "1", "output": "a"}, "tool_result", ["a"]),
        ({"type": "local_shell_call_output", "id": "1", "output": "a"}, "tool_result", ["a"]),
        (
            {"type": "shell_call_output", "call_id": "1", "output": [{"stdout": "a", "stderr": "b"}]},
            "tool_result",
            ["a", "b"],
        ),
        ({"type": "apply_patch_call_output", "call_id": "1", "output": "a"}, "tool_result", ["a"]),
        (
            {
                "type": "computer_call_output",
                "call_id": "1",
                "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AAAA"},
                "acknowledged_safety_checks": [{"id": "1", "message": "a"}],
            },
            "tool_result",
            ["a"],
        ),
        (
            {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "f", "description": "a"}]},
            "tool_result",
            ["a"],
        ),
        ({"type": "mcp_approval_response", "approve": False, "reason": "a"}, "input", ["a"]),
        ({"type": "kind_of_next_year", "words": {"more": ["a", "b"]}}, "input", ["a", "b"]),
        ({"id": "msg_1", "note": "a"}, "input", ["a"]),
        (function_call("f", '{"a": 1}'), None, ['{"a": 1}']),
        ({"type": "custom_tool_call", "call_id": "1", "name": "f", "input": "a"}, None, ["a"]),
        (reasoning("a", "b"), None, ["a", "b"]),
        ({"type": "image_generation_call", "id": "1", "result": "AAAA", "status": "completed"}, None, []),
    ],
)
def test_every_text_of_an_item_is_read_on_the_side_of_who_wrote_it(item, side, texts):
    turn = asked(body(user("first"), item))
    read = [text for message in turn.messages[1:] for text in message.parts]
    assert read == texts
    if side is not None:
        assert [text for text in turn.passages(side) if text != "first"] == texts


@pytest.mark.parametrize(
    "item",
    [
        {"type": "mcp_call", "server_label": "s", "name": "f", "arguments": "{}", "output": "a"},
        {"type": "file_search_call", "queries": ["q"], "results": [{"file_id": "1", "text": "a"}]},
        {"type": "code_interpreter_call", "code": "1", "outputs": [{"type": "logs", "logs": "a"}]},
    ],
)
def test_what_a_tool_said_in_an_item_of_the_model_is_a_tool_result(item):
    assert asked(body(user("first"), item)).passages("tool_result") == ("a",)


def test_the_variables_of_a_stored_prompt_are_read_whatever_they_are_called():
    variables = {"name": "Ann", "id": {"type": "input_text", "text": "42"}, "picture": IMAGE}
    sent = {"model": "m", "prompt": {"id": "pmpt_1", "variables": variables}}
    assert asked(sent).passages("input") == ("Ann", "42")
    assert wire.unread(sent) == {"prompt": 1, "image": 1}


def test_only_the_changed_texts_differ_in_the_body_that_is_passed_on():
    call = function_call("f", "{}")
    parts = [{"type": "input_text", "text": "a", "cache": {"x": 1}}, IMAGE]
    sent = body(user(parts), call, user("c"), instructions="be kind", temperature=0.1, unknown={"deep": [1, None]})
    before = asked(sent)
    passed = wire.write_request(sent, before, upper(before), Placeholders())
    assert passed == {
        **sent,
        "input": [user([{"type": "input_text", "text": "A", "cache": {"x": 1}}, IMAGE]), call, user("C")],
    }
    assert sent["input"][0]["content"] is parts
    assert parts[0]["text"] == "a"


def test_the_body_is_the_same_object_where_nothing_changes():
    sent = body(user("a"))
    assert wire.write_request(sent, asked(sent), asked(sent), Placeholders()) is sent


def test_what_was_put_back_into_earlier_items_is_taken_out_again():
    placeholders = Placeholders()
    placeholders.of('a"b', "name", Redact(type="redact", restore=True))
    output = {"type": "function_call_output", "call_id": "1", "output": 'a"b is found'}
    sent = body(function_call("f", '{"who": "a\\"b"}'), output, message('It is a"b'), user('a"b'))
    turn = asked(sent)
    passed = wire.write_request(sent, turn, turn, placeholders)["input"]
    assert passed[0]["arguments"] == '{"who": "[NAME_1]"}'
    assert passed[1]["output"] == "[NAME_1] is found"
    assert passed[2]["content"][0]["text"] == "It is [NAME_1]"
    assert passed[3]["content"] == 'a"b'


def test_what_nobody_reads_is_counted_by_kind():
    sent = body(
        user([{"type": "input_text", "text": "a"}, IMAGE, IMAGE, FILE, {"type": "input_audio", "input_audio": {}}]),
        {"type": "item_reference", "id": "msg_1"},
        {"type": "function_call_output", "call_id": "1", "output": [IMAGE]},
        previous_response_id="resp_1",
    )
    assert wire.unread(sent) == {"earlier": 2, "image": 3, "file": 1, "audio": 1}
    assert wire.unread({"model": "m", "input": "a"}) == {}


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["hello"]}, "input[0]"),
        ({"input": [{"type": 7}]}, "input[0].type"),
        ({"input": [{"type": "message", "content": "a"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 7}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": ["a"]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]}, "input[0].content[0].text"),
        ({"input": [{"type": "function_call_output", "output": DEEP}]}, "input"),
        ({"model": ""}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"instructions": ["a"]}, "instructions"),
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"prompt": "pmpt_1"}, "prompt"),
        ({"prompt": {"id": "1", "variables": ["a"]}}, "prompt.variables"),
        ({"text": "json"}, "text"),
        ({"background": True}, "background"),
    ],
)
def test_a_shape_that_is_not_understood_is_refused_with_the_name_of_the_field(wrong, param):
    with pytest.raises(BadRequest) as refused:
        asked({"model": "m", "input": "hello", **wrong})
    assert refused.value.param == param


def test_a_request_may_have_no_input_where_the_provider_keeps_some():
    assert asked({"model": "m", "conversation": "conv_1"}).passages("input") == ()


def test_more_items_than_allowed_are_too_large():
    with pytest.raises(TooLarge):
        wire.validate(body(*[user("a")] * 3), 2)


def test_nesting_that_would_exhaust_the_stack_is_refused_and_not_counted():
    deep: list = []
    for _ in range(900):
        deep = [deep]
    sent = body({"type": "function_call_output", "output": deep})
    assert wire.unread(sent) == {}
    with pytest.raises(BadRequest):
        asked(sent)


def test_a_conversation_is_a_session_unless_the_request_names_one():
    assert wire.labels({"conversation": {"id": "conv_1"}, "user": "ann"}) == {"session": "conv_1", "user": "ann"}
    assert wire.labels({"conversation": "conv_1", "prompt_cache_key": "k"}) == {"session": "k"}


@pytest.mark.parametrize("part", [text("I can't."), {"type": "refusal", "refusal": "I can't."}])
def test_a_turn_that_guard_refused_leaves_the_conversation(part):
    sent = body({"role": "system", "content": "be kind"}, user("attack"), message(part), user("sorry"))
    assert wire.without_refused(sent, {"I can't."})["input"] == [
        {"role": "system", "content": "be kind"},
        user("sorry"),
    ]
    assert wire.without_refused(sent, {"Other."}) is sent


def test_who_continues_a_refused_response_continues_the_one_before_it():
    first = wire.override(body(user("attack"), previous_response_id="resp_9"), "No.")
    assert (
        wire.without_refused(body(user("a"), previous_response_id=first["id"]), ())["previous_response_id"] == "resp_9"
    )
    alone = wire.override(body(user("attack")), "No.")
    assert "previous_response_id" not in wire.without_refused(body(user("a"), previous_response_id=alone["id"]), ())
    own = body(user("a"), previous_response_id="resp_9")
    assert wire.without_refused(own, ()) is own


LOOP = [
    {"type": "function_call_output", "call_id": "call-1", "output": "an attack"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": "another"},
    {"type": "apply_patch_call_output", "call_id": "call_3", "status": "completed"},
    {"type": "shell_call_output", "call_id": "call_4", "output": [{"stdout": "a third", "stderr": ""}]},
]


@pytest.mark.parametrize("given", [[user("never mind")], "never mind", None])
def test_who_continues_a_step_of_a_tool_loop_that_was_refused_leaves_no_call_without_an_output(given):
    first = wire.override(body(*LOOP, previous_response_id="resp-9"), "No.")["id"]
    after = wire.without_refused({**body(), "input": given, "previous_response_id": first}, ())
    outputs, rest = after["input"][:4], after["input"][4:]
    assert after["previous_response_id"] == "resp-9"
    assert [(one["type"], one["call_id"]) for one in outputs] == [(one["type"], one["call_id"]) for one in LOOP]
    assert not any(said in str(outputs) for said in ("attack", "another", "third"))
    assert [one["content"] for one in rest] == (["never mind"] if given else [])
    # Refused again, it is still the same loop.
    again = wire.override(after, "No.")["id"]
    assert wire.without_refused(body(user("a"), previous_response_id=again), ())["input"][:4] == outputs


def test_an_output_that_is_sent_once_more_after_a_refusal_is_taken_as_it_is():
    first = wire.override(body(*LOOP[:2], previous_response_id="resp_9"), "No.")["id"]
    better = {**LOOP[0], "output": "harmless"}
    after = wire.without_refused(body(better, previous_response_id=first), ())["input"]
    assert after[1:] == [better]
    assert [one["call_id"] for one in after] == ["call_2", "call-1"]


@pytest.mark.parametrize("made_up", ["zz", "5b5d", "7b7d", "5b5b2266222c315d5d", b'[["mcp_call","x"]]'.hex()])
def test_an_id_that_somebody_made_up_adds_nothing_to_a_request(made_up):
    sent = body(user("a"), previous_response_id=f"resp_guard_{'0' * 24}.{made_up}-resp_9")
    assert wire.without_refused(sent, ()) == body(user("a"), previous_response_id="resp_9")


@pytest.mark.parametrize(
    ("item", "output", "calls"),
    [
        (message("a", {"type": "refusal", "refusal": "b"}), ["a", "b"], []),
        (
            message(text("a", {"type": "url_citation", "title": "t", "url": "https://u", "start_index": 0})),
            ["a", "t", "https://u"],
            [],
        ),
        (reasoning("a", "b"), ["a", "b"], []),
        (function_call("f", ""), [], [("f", "")]),
        (function_call("f", '{"a": 1}'), [], [("f", '{"a": 1}')]),
        ({"type": "custom_tool_call", "name": "f", "input": "a"}, [], [("f", "a")]),
        (
            {"type": "mcp_call", "name": "f", "server_label": "s", "arguments": "{}", "output": "a", "error": "b"},
            ["a", "b"],
            [("f", "{}")],
        ),
        ({"type": "mcp_approval_request", "name": "f", "arguments": "{}"}, [], [("f", "{}")]),
        (
            {"type": "shell_call", "action": {"commands": ["ls", "rm"]}},
            [],
            [("shell_call", "ls"), ("shell_call", "rm")],
        ),
        (
            {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "p", "diff": "+a"}},
            [],
            [("apply_patch_call", "p"), ("apply_patch_call", "+a")],
        ),
        ({"type": "web_search_call", "action": {"type": "search", "query": "q"}}, [], [("web_search_call", "q")]),
        (
            {"type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
            ["2"],
            [("code_interpreter_call", "1+1")],
        ),
        (
            {"type": "file_search_call", "queries": ["q"], "results": [{"text": "a", "filename": "f.pdf"}]},
            ["a", "f.pdf"],
            [("file_search_call", "q")],
        ),
        ({"type": "image_generation_call", "result": "AAAA", "revised_prompt": "a"}, ["a"], []),
        (
            {"type": "tool_search_call", "arguments": {"name": "a", "data": {"id": "b"}}},
            [],
            [("tool_search_call", "a"), ("tool_search_call", "b")],
        ),
        ({"type": "kind_of_next_year", "words": {"more": ["a"]}}, ["a"], []),
    ],
)
def test_every_text_and_call_of_an_answer_is_read_and_written(item, output, calls):
    answer = response(item)
    turn = wire.read_answer(answer, Turn())
    assert list(turn.output) == output
    assert [(call.name, call.arguments) for call in turn.tool_calls] == calls
    changed = [f"<{one.arguments}>" for one in turn.tool_calls]
    written = wire.write_answer(answer, [one.upper() for one in turn.output], changed)
    again = wire.read_answer(written, Turn())
    assert list(again.output) == [one.upper() for one in output]
    assert [one.arguments for one in again.tool_calls] == changed


def test_what_a_response_tells_of_its_request_is_not_taken_for_the_models_words():
    answer = response(message("a"), instructions="never say b", tools=[{"type": "function", "description": "c"}])
    assert wire.read_answer(answer, Turn()).output == ("a",)


def test_fields_that_nobody_knows_are_read_too():
    answer = response(message("a"), output_text="b", more={"deep": ["c"]})
    assert wire.read_answer(answer, Turn()).output == ("a", "b", "c")
    written = wire.write_answer(answer, ["A", "B", "C"], [])
    assert (written["output_text"], written["more"]) == ("B", {"deep": ["C"]})


def test_the_log_probabilities_of_a_changed_text_are_emptied_and_of_others_stay():
    tokens = [{"token": "secret", "logprob": -1.0}]
    answer = response(message({**text("secret"), "logprobs": tokens}, {**text("fine"), "logprobs": tokens}))
    parts = wire.write_answer(answer, ["[X]", "fine"], [])["output"][0]["content"]
    assert [part["logprobs"] for part in parts] == [[], tokens]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"output": "a"},
        {"output": ["a"]},
        {"choices": []},
        response({"type": "function_call", "name": "f", "arguments": {"a": 1}}),
        response({"type": "kind_of_next_year", "words": DEEP}),
    ],
)
def test_an_answer_that_is_not_understood_is_an_error(answer):
    with pytest.raises(UpstreamError):
        wire.read_answer(answer, Turn())


def test_an_override_keeps_the_answers_id_and_usage_and_none_of_its_words():
    answer = response(message("secret"), output_text="secret", error={"message": "secret"})
    said = wire.override(body(user("a"), temperature=0.5, metadata={"a": "b"}), "No.", answer)
    assert "secret" not in str(said)
    assert (said["id"], said["usage"]) == (answer["id"], answer["usage"])
    assert (said["temperature"], said["metadata"]) == (0.5, {"a": "b"})
    assert said["status"] == "completed"
    assert said["incomplete_details"] == {"reason": "content_filter"}
    assert said["output"][0]["content"][0]["text"] == "No."


@pytest.mark.parametrize("form", [None, "json", {"type": "text"}])
def test_a_format_that_is_no_json_is_answered_with_a_text(form):
    assert wire.override(body(user("a"), text={"format": form}), "No.")["output"][0]["content"][0]["text"] == "No."


def test_who_asked_for_json_gets_a_refusal_that_no_client_parses():
    sent = body(user("a"), text={"format": {"type": "json_schema", "name": "n", "schema": {}}})
    assert wire.override(sent, "No.")["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]


def test_instructions_and_earlier_items_are_read_where_the_policy_names_their_roles(client):
    upstream = ScriptedResponses("fine")
    reading = client(upstream, policy=POLICY.replace("  input:\n", "  input:\n    reads: [system, assistant]\n"))
    sent = body(message("It is ORD-12345678"), user("hello"), instructions="Serve ORD-87654321")
    assert reading.post("/v1/responses", json=sent).status_code == 200
    assert upstream.bodies[0]["instructions"] == "Serve [ORDER_NUMBER_1]"
    assert upstream.bodies[0]["input"][0]["content"][0]["text"] == "It is [ORDER_NUMBER_2]"
