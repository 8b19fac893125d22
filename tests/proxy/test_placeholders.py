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


SHARED = {"prompt_cache_key": "the app's prompt"}


def numbers(client, order, reply="fine", **more):
    """What stood for an order in what the provider was asked, and what its reply became."""
    upstream = ScriptedUpstream(reply)
    caller = client(upstream, policy=POLICY, redact_key="the same in every worker", **more.pop("settings", {}))
    headers = more.pop("headers", None)
    body = {"model": "m", "messages": [{"role": "user", "content": order}], **SHARED, **more}
    answer = caller.post("/v1/chat/completions", json=body, headers=headers)
    return upstream.bodies[0]["messages"][0]["content"], said(answer)


def test_users_who_share_a_prompt_cache_key_share_no_placeholders_and_a_user_keeps_theirs(client):
    ada, again = (numbers(client, "ORD-12345678", user="ada")[0] for _ in range(2))
    bob, nobody = numbers(client, "ORD-12345678", user="bob")[0], numbers(client, "ORD-12345678")[0]
    assert ada == again
    assert len({ada, bob, nobody}) == 3


def test_apps_and_keys_that_share_one_do_not_either(client):
    apps = {"shop": [{"key": "env:K1", "name": "a"}, {"key": "env:K2", "name": "b"}], "desk": ["env:K3"]}
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("K1", "K2", "K3"):
            patch.setenv(name, f"secret-{name}")
        for name in ("K1", "K2", "K3"):
            sent = {"authorization": f"Bearer secret-{name}"}
            seen.append(numbers(client, "ORD-12345678", headers=sent, settings={"apps": apps})[0])
    assert len(set(seen)) == 3


@pytest.mark.parametrize("stream", [False, True])
def test_nobody_gets_anothers_value_back_though_the_model_repeats_what_stood_for_it(client, stream):
    ada, _ = numbers(client, "ORD-12345678", user="ada")
    for user in ("bob", "ada"):  # another user, and a later turn of her own that does not hold the value
        _, answer = numbers(client, "ORD-87654321", reply=f"It was {ada}", user=user, stream=stream)
        assert answer == f"It was {ada}"
