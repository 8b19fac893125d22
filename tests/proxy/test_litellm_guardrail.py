"""LiteLLM's generic guardrail contract: what its proxy is told to do with a request or an answer."""

import pytest

from guard.proxy.litellm_guardrail import ROUTE

CALLS = """
policy: calls
metrics:
  leak: {kind: regex, patterns: {key: 'KEY-[0-9]+'}}
stages:
  tool_call:
    rulesets:
      - name: no keys
        rules: [{metric: leak, operator: not_empty}]
        action: {type: redact}
"""
SHORT = """
policy: short
stages:
  output:
    rulesets:
      - name: no one-word answers
        rules: [{metric: word_count, operator: lt, target_value: 2}]
        action: {type: override, choices: [Let me say that again.]}
"""


BANNED = """
policy: banned
stages:
  input:
    rulesets:
      - name: not mallory
        rules: [{metric: user, operator: eq, target_value: mallory}]
        action: {type: override, choices: [Not you.]}
"""


def told(client, *texts, of="request", status=200, **more):
    body = {"input_type": of, "texts": list(texts), "request_data": {}, "images": None, "tools": None, **more}
    response = client.post(ROUTE, json=body)
    assert response.status_code == status, response.text
    return response.json()


def test_what_may_pass_passes(client):
    assert told(client(), "hello") == {"action": "NONE"}


def test_what_is_refused_is_blocked_with_the_policys_text(client):
    assert told(client(), "What of Acme?") == {"action": "BLOCKED", "blocked_reason": "We only speak of ourselves."}
    blocked = told(client(), "Acme is better", of="response")
    assert (blocked["action"], blocked["blocked_reason"]) == ("BLOCKED", "I only speak of our own products.")


def test_what_is_redacted_comes_back_one_for_one(client):
    answer = told(client(), "hello", "Where is ORD-12345678?")
    assert answer == {"action": "GUARDRAIL_INTERVENED", "texts": ["hello", "Where is [ORDER_NUMBER_1]?"]}
    answer = told(client(), "It is KEY-1", of="response")
    assert (answer["action"], answer["texts"]) == ("GUARDRAIL_INTERVENED", ["It is [KEY_1]"])


def test_the_apps_own_system_prompt_is_trusted_where_the_messages_say_which_it_is(client):
    messages = [{"role": "system", "content": "Never name Acme."}, {"role": "user", "content": "hello"}]
    assert told(client(), "Never name Acme.", "hello", structured_messages=messages) == {"action": "NONE"}


def test_no_role_is_believed_where_the_messages_are_not_the_texts(client):
    messages = [{"role": "system", "content": "hello"}]
    assert told(client(), "What of Acme?", structured_messages=messages)["action"] == "BLOCKED"


def test_parts_of_a_message_are_read_and_pictures_counted_as_unread(client):
    parts = [{"type": "text", "text": "ORD-12345678"}, {"type": "image_url", "image_url": {"url": "x"}}]
    body = {"structured_messages": [{"role": "user", "content": parts}], "images": ["x"], "texts": ["ORD-12345678"]}
    response = client().post(ROUTE, json={"input_type": "request", "request_data": {}, **body})
    assert response.json()["texts"] == ["[ORDER_NUMBER_1]"]
    assert response.headers["x-guard-coverage"].endswith("unread=image:1")


def test_a_call_that_would_have_to_be_changed_is_blocked_since_litellm_takes_no_calls_back(client):
    guarded = client(policy=CALLS)
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"key": "KEY-1"}'}}
    assert told(guarded, of="response", tool_calls=[call])["action"] == "BLOCKED"
    call["function"]["arguments"] = "{}"
    assert told(guarded, of="response", tool_calls=[call])["action"] == "NONE"


def test_of_an_unfinished_answer_is_held_back_what_the_next_words_may_change(client):
    guarded = client(overlap=100)
    assert told(guarded, "a " * 200, of="response")["stream_holdback_chars"] == [100]
    assert "stream_holdback_chars" not in told(guarded, "a " * 200)
    assert told(client(policy=CALLS), "a " * 200, of="response")["stream_holdback_chars"] == [0]


def test_where_only_the_whole_answer_tells_all_of_it_is_held_back(client):
    answer = told(client(policy=SHORT), "a " * 200, of="response")
    assert answer["stream_holdback_chars"] == [400]


def test_litellms_key_says_which_app_asks_and_its_own_keys_which_user(client, monkeypatch):
    monkeypatch.setenv("LITELLM_KEY", "secret")
    guarded = client(policy=BANNED, apps={"litellm": ["env:LITELLM_KEY"]})
    assert "error" in told(guarded, "hello", status=401)
    guarded.headers["x-api-key"] = "secret"
    assert told(guarded, "hello", request_data={"user_api_key_user_id": "ann"}) == {"action": "NONE"}
    banned = {"user_api_key_user_id": "ann", "user_api_key_end_user_id": "mallory"}
    assert told(guarded, "hello", request_data=banned)["blocked_reason"] == "Not you."


@pytest.mark.parametrize("wrong", [{"input_type": "answer"}, {"texts": [1]}, {"tool_calls": [{"function": {}}]}])
def test_what_is_not_understood_is_an_error_which_litellm_takes_for_a_no(client, wrong):
    assert "error" in told(client(), of="response", status=400, **wrong)


def test_fields_of_later_releases_are_litellms_own_affair(client):
    assert told(client(), "hello", something_new={"a": 1}) == {"action": "NONE"}
