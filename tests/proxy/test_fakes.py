"""Fakes on their way to the provider and back: in texts, in streams, in tool calls, and in the turns after."""

import json

import pytest

from tests.fakes import ScriptedUpstream, streamed

POLICY = """
policy: test
metrics:
  order: {kind: regex, patterns: {order: 'ORD-"?[0-9]{8}'}}
stages:
  input:
    rulesets:
      - name: fake orders
        rules: [{metric: order, operator: not_empty}]
        action: {type: redact, mask: fake, restore: true}
"""
ORDER = "ORD-12345678"


class Echo(ScriptedUpstream):
    """Repeats what it was asked last, as text and as the arguments of a call of a `kind` of tool."""

    def __init__(self, kind="function", **more):
        super().__init__(**more)
        self.kind = kind

    def echo(self, body):
        last = body["messages"][-1]["content"]
        self.texts = (f"about {last}; " * 3,)
        self.call = ("look_up", json.dumps({"order": last}) if self.kind == "function" else f'order = "{last}"')

    async def complete(self, path, body, headers):
        self.echo(body)
        answer = await super().complete(path, body, headers)
        if self.kind == "custom":
            name, text = self.call
            call = {"id": "1", "type": "custom", "custom": {"name": name, "input": text}}
            answer["choices"][0]["message"]["tool_calls"] = [call]
        return answer

    async def stream(self, path, body, headers):
        self.echo(body)
        async for event in super().stream(path, body, headers):
            yield event


def ask(client, *messages, **more):
    body = {"model": "m", "messages": list(messages), "prompt_cache_key": "c-1", **more}
    return client.post("/v1/chat/completions", json=body)


def user(text):
    return {"role": "user", "content": text}


def test_the_provider_sees_the_fake_and_the_user_the_original(client):
    upstream = Echo()
    message = ask(client(upstream, policy=POLICY), user(f"where is {ORDER}?")).json()["choices"][0]["message"]
    assert ORDER not in json.dumps(upstream.bodies)
    assert message["content"] == f"about where is {ORDER}?; " * 3
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"order": f"where is {ORDER}?"}


@pytest.mark.parametrize("piece", [1, 3, 7, 50])
def test_it_is_put_back_across_the_borders_of_chunks_and_in_streamed_calls(client, piece):
    upstream = Echo(piece=piece)
    answer = streamed(ask(client(upstream, policy=POLICY), user(f"where is {ORDER}?"), stream=True))
    assert answer.text == f"about where is {ORDER}?; " * 3
    assert json.loads(answer.calls[0]["function"]["arguments"]) == {"order": f"where is {ORDER}?"}


def test_the_fake_is_the_same_in_the_next_turn_and_stands_in_the_earlier_answer_too(client):
    upstream = Echo()
    guarded = client(upstream, policy=POLICY)
    first = ask(guarded, user("ORD-87654321"), user(ORDER)).json()["choices"][0]["message"]
    ask(guarded, user(ORDER), first, user("and now?"))
    before, after = ([one["content"] for one in body["messages"]] for body in upstream.bodies)
    assert before[1] == after[0] != ORDER
    assert ORDER not in after[1]
    assert before[1] in after[1]


def test_a_custom_tools_input_gets_its_value_back_as_text_and_a_functions_as_json(client):
    quoted = 'ORD-"12345678'
    for kind, expected in [("custom", f'order = "{quoted}"'), ("function", json.dumps({"order": quoted}))]:
        message = ask(client(Echo(kind), policy=POLICY), user(quoted)).json()["choices"][0]["message"]
        call = message["tool_calls"][0]
        assert (call.get("function") or {}).get("arguments", (call.get("custom") or {}).get("input")) == expected
