"""LiteLLM's own proxy with Guard as its guardrail, each a server, before a provider."""

import json
import re
import secrets
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from guard.proxy.app import create_app
from guard.settings import Settings
from tests.clients.environments import environment, plain
from tests.clients.provider import Provider
from tests.fakes import Streamed
from tests.proxy.conftest import POLICY, running

pytestmark = pytest.mark.slow

LITELLM = "litellm[proxy]==1.106.2"
CONFIG = """
model_list:
  - model_name: m
    litellm_params: {{model: openai/m, api_base: {provider}/v1, api_key: sk-provider}}
guardrails:
  - guardrail_name: guard
    litellm_params: &guard
      guardrail: generic_guardrail_api
      mode: [pre_call, post_call]
      api_base: {guard}
      api_key: app-key
      streaming_transform_mode: incremental_diff
      streaming_sampling_rate: 1
  - guardrail_name: guard-at-the-end
    litellm_params: {{<<: *guard, streaming_end_of_stream_only: true}}
  - guardrail_name: guard-is-away
    litellm_params: {{<<: *guard, api_base: "http://127.0.0.1:9"}}
"""


@pytest.fixture(scope="module")
def litellm(pytestconfig, tmp_path_factory):
    """A client of LiteLLM's proxy, and the provider behind it."""
    programs = environment(pytestconfig, "litellm", LITELLM)
    folder, provider = tmp_path_factory.mktemp("litellm"), Provider()
    (folder / "policy.yaml").write_text(POLICY)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_APP_KEY", "app-key")
        apps = {"litellm": ["env:LITELLM_APP_KEY"]}
        settings = Settings(policy=str(folder / "policy.yaml"), upstream="demo", store="none", apps=apps)
        addresses = {
            "provider": stack.enter_context(running(provider.app)),
            "guard": stack.enter_context(running(create_app(settings))),
        }
        (folder / "config.yaml").write_text(CONFIG.format(**addresses))
        yield stack.enter_context(served(programs / "litellm", folder)), provider


@contextmanager
def served(program, folder):
    """A client of LiteLLM's proxy, for as long as it is entered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key = f"sk-{secrets.token_hex(16)}"
    command = [program, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "litellm.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=folder, env={**plain(), "LITELLM_MASTER_KEY": key}, stdout=out, stderr=subprocess.STDOUT
        )
    headers = {"authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            until = time.monotonic() + 180
            while not alive(client):
                assert process.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < until, log.read_text()[-3000:]
                time.sleep(0.2)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def alive(client):
    try:
        return client.get("/health/liveliness").is_success
    except httpx.TransportError:
        return False


def ask(client, text, guardrail="guard", **more):
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "guardrails": [guardrail], **more}
    return client.post("/v1/chat/completions", json=body)


def said(response):
    return response.json()["choices"][0]["message"]["content"]


STREAMED = pytest.mark.parametrize("guardrail", ["guard", "guard-at-the-end"])


def test_what_may_pass_passes_whole(litellm):
    assert said(ask(litellm[0], "hello there")) == "hello there"


@STREAMED
def test_what_may_pass_passes_streamed(litellm, guardrail):
    stream = Streamed(ask(litellm[0], "hello there " * 50, guardrail, stream=True).text)
    assert (stream.text, stream.finish, stream.done) == ("hello there " * 50, "stop", True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_is_refused_never_reaches_the_provider(litellm, stream):
    client, provider = litellm
    provider.bodies.clear()
    response = ask(client, "What of Acme?", stream=stream)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "We only speak of ourselves."
    assert provider.bodies == []


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_redacted_in_a_request_never_reaches_the_provider(litellm, stream):
    client, provider = litellm
    provider.bodies.clear()
    assert ask(client, "Where is ORD-12345678?", stream=stream).is_success
    assert "[ORDER_NUMBER_" in json.dumps(provider.bodies)
    assert "12345678" not in json.dumps(provider.bodies)


def test_an_answer_is_redacted_or_refused_whole(litellm):
    client, _ = litellm
    assert "KEY-12345" not in said(ask(client, "Say KEY-12345 now"))
    refused = ask(client, "advertise")
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "I only speak of our own products."


@STREAMED
def test_an_answer_is_redacted_streamed_wherever_the_chunks_borders_are(litellm, guardrail):
    text = "so and so, " * 30 + "it is KEY-12345 " + "and so on, " * 30
    stream = Streamed(ask(litellm[0], text, guardrail, stream=True).text)
    assert "KEY-" not in stream.text
    assert "it is [KEY_" in stream.text
    assert (stream.text[:330], stream.text[-330:]) == (text[:330], text[-330:])
    assert (stream.finish, stream.done) == ("stop", True)


@STREAMED
def test_an_answer_is_refused_streamed_before_any_of_what_is_refused_goes_out(litellm, guardrail):
    response = ask(litellm[0], "advertise", guardrail, stream=True)
    assert "I only speak of our own products." in response.text
    # The error ends a stream that has begun, and is the whole answer where none has.
    assert "Acme" not in "".join(re.findall(r'"content": ?"([^"]*)"', response.text))


@pytest.mark.parametrize("stream", [False, True])
def test_with_guard_away_litellm_answers_nothing(litellm, stream):
    client, provider = litellm
    provider.bodies.clear()
    response = ask(client, "hello", "guard-is-away", stream=stream)
    assert response.status_code >= 400
    assert provider.bodies == []
