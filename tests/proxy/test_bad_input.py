"""Bad input: each gets a clear answer in OpenAI's error shape, and nothing of our inside."""

import json

import pytest

from guard.errors import UpstreamError, UpstreamTimeout
from guard.proxy.upstream import UpstreamRefused
from tests.fakes import ScriptedUpstream, streamed
from tests.proxy.conftest import ask

URL = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def post(client, content, **headers):
    return client.post(URL, content=content, headers={"content-type": "application/json", **headers})


def error_of(response):
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "Traceback" not in response.text
    assert ".py" not in response.text
    return error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}', "not valid JSON"),
        (b"[]", "must be a JSON object, not an array"),
        (b"null", "must be a JSON object, not null"),
        (b'"hello"', "must be a JSON object, not a string"),
        (b"[" * 100_000 + b"]" * 100_000, "not valid JSON"),
    ],
)
def test_what_is_no_json_object_is_told_so(client, content, said):
    response = post(client(), content)
    assert response.status_code == 400
    assert said in error_of(response)["message"]


def test_a_body_nested_deeper_than_it_can_be_passed_on_is_refused(client):
    deep = '{"model": "m", "messages": [{"role": "user", "content": "a"}], "x": ' + "[" * 600 + "]" * 600 + "}"
    upstream = ScriptedUpstream()
    response = post(client(upstream), deep.encode())
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert "nested" in error_of(response)["message"] or "Recursion" in error_of(response)["message"]


def test_a_body_beyond_the_limit_is_refused_before_it_is_read_to_its_end(client):
    caller = client(max_body=1000)
    response = post(caller, json.dumps({**HELLO, "x": "y" * 2000}).encode())
    assert response.status_code == 413
    assert error_of(response)["code"] == "request_too_large"


def test_a_body_beyond_the_limit_that_does_not_tell_its_length_is_refused_too(client):
    def pieces():
        for _ in range(100):
            yield b"x" * 100

    response = client(max_body=1000).post(URL, content=pieces())
    assert response.status_code == 413


def test_too_many_messages_are_refused(client):
    body = {"model": "m", "messages": HELLO["messages"] * 11}
    response = client(max_messages=10).post(URL, json=body)
    assert response.status_code == 413
    assert error_of(response)["param"] == "messages"


def test_compressed_bodies_are_refused_rather_than_unpacked_to_any_size(client):
    response = post(client(), b"\x1f\x8b", **{"content-encoding": "gzip"})
    assert response.status_code == 400
    assert "compressed" in error_of(response)["message"]


def test_null_bytes_and_odd_characters_are_text_like_any_other(client):
    upstream = ScriptedUpstream("fine")
    response = ask(client(upstream), "a\x00b\u202e\ufffe\U0001f600")
    assert response.status_code == 200
    assert upstream.bodies[0]["messages"][0]["content"] == "a\x00b\u202e\ufffe\U0001f600"


def test_the_second_of_two_equal_keys_cannot_smuggle_in_what_was_not_read(client):
    upstream = ScriptedUpstream("fine")
    evil, kind = '[{"role": "user", "content": "Acme"}]', '[{"role": "user", "content": "hi"}]'
    post(client(upstream), f'{{"model": "m", "messages": {evil}, "messages": {kind}}}'.encode())
    assert [body["messages"][0]["content"] for body in upstream.bodies] == ["hi"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_is_late_or_broken_has_its_own_status(client, stream):
    late = ask(client(ScriptedUpstream(error=UpstreamTimeout("too late"))), "hello", stream=stream)
    broken = ask(client(ScriptedUpstream(error=UpstreamError("garbage"))), "hello", stream=stream)
    assert (late.status_code, error_of(late)["code"]) == (504, "upstream_timeout")
    assert (broken.status_code, error_of(broken)["code"]) == (502, "upstream_error")


@pytest.mark.parametrize("stream", [False, True])
def test_the_providers_own_errors_come_through_with_their_status_and_retry_after(client, stream):
    theirs = {"error": {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    upstream = ScriptedUpstream(error=UpstreamRefused(429, theirs, {"retry-after": "7"}))
    response = ask(client(upstream), "hello", stream=stream)
    assert (response.status_code, response.json()) == (429, theirs)
    assert response.headers["retry-after"] == "7"


def test_a_provider_that_breaks_off_mid_stream_ends_it_with_an_error_and_no_done(client):
    upstream = ScriptedUpstream("word " * 300, error=UpstreamError("broke off"), fail_after=200)
    stream = streamed(ask(client(upstream), "hello", stream=True))
    assert not stream.done
    assert stream.chunks[-1]["error"]["message"] == "broke off"
    assert stream.text == ("word " * 300)[: len(stream.text)]
    assert len(stream.text) > 900


def test_a_bug_of_ours_is_answered_without_its_inside(client):
    response = ask(client(ScriptedUpstream(error=RuntimeError("secret inside"))), "hello")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert error_of(response)["type"] == "server_error"


def test_a_route_that_guard_does_not_read_is_refused_with_the_setting_that_opens_it(client):
    response = client().post("/v1/rerank", json={"model": "m", "input": "Acme"})
    assert response.status_code == 403
    assert "open_routes: [/v1/rerank]" in error_of(response)["message"]


def test_the_wrong_method_and_unknown_paths_are_told_in_the_same_shape(client):
    caller = client()
    assert caller.get(URL).status_code == 403
    assert f"GET {URL} is not read" in error_of(caller.get(URL))["message"]
    assert caller.get("/nothing").status_code == 404
    assert error_of(caller.get("/nothing"))


def test_a_request_that_no_policy_applies_to_is_refused(client):
    policy = "policy: other\napplies_to: {models: [gpt-*]}\n"
    upstream = ScriptedUpstream()
    response = ask(client(upstream, policy=policy), "hello")
    assert (response.status_code, error_of(response)["code"]) == (403, "no_policy")
    assert upstream.bodies == []
