"""Placeholders that stand in a conversation already, and values that several stages redact."""

import json

import pytest

from tests.fakes import ScriptedUpstream

HIDE = """
    rulesets:
      - name: hide orders in {side}
        rules: [{{metric: order, operator: not_empty}}]
        action: {{type: redact, restore: {restore}}}
"""
POLICY = "\n".join(
    [
        "policy: test",
        "metrics:",
        "  order: {kind: regex, patterns: {order: 'ORD-[0-9]{8}'}}",
        "stages:",
        *(
            f"  {side}:{HIDE.format(side=side, restore=restore)}"
            for side, restore in [("tool_result", "true"), ("input", "true"), ("output", "false")]
        ),
    ]
)
TOOL = {"role": "tool", "tool_call_id": "1", "content": "ORD-12345678"}


def said(response):
    """The text of an answer, whole or streamed."""
    if "event-stream" not in response.headers["content-type"]:
        return response.json()["choices"][0]["message"]["content"]
    events = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for event in events for choice in json.loads(event)["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_what_someone_wrote_like_a_placeholder_never_becomes_what_another_stage_hid(client, role, stream):
    upstream = ScriptedUpstream("[ORDER_1] and [ORDER_2]")
    messages = [{"role": role, "content": "my own [ORDER_1]"}, TOOL]
    response = client(upstream, policy=POLICY).post(
        "/v1/chat/completions", json={"model": "m", "messages": messages, "stream": stream}
    )
    assert [message["content"] for message in upstream.bodies[0]["messages"]] == ["my own [ORDER_1]", "[ORDER_2]"]
    assert said(response) == "[ORDER_1] and ORD-12345678"


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_output_hides_stays_hidden_though_the_input_may_be_restored(client, stream):
    upstream = ScriptedUpstream("[ORDER_1] is ORD-12345678")
    response = client(upstream, policy=POLICY).post(
        "/v1/chat/completions", json={"model": "m", "messages": [TOOL], "stream": stream}
    )
    assert said(response) == "ORD-12345678 is [ORDER_2]"
