"""The official anthropic client for Python, unchanged but for its base URL."""

import json
from contextlib import ExitStack

import anthropic
import httpx
import pytest

from guard.proxy.app import create_app
from guard.settings import Settings
from tests.clients.anthropic_provider import AnthropicProvider
from tests.clients.test_hang_up import until
from tests.proxy.conftest import POLICY, running

pytestmark = pytest.mark.slow

TOOLS: list = [{"name": "find", "description": "Find an order.", "input_schema": {"type": "object", "properties": {}}}]
PIXEL = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
ORDER = "ORD-12345678"


@pytest.fixture(scope="module")
def provider():
    """The provider: what it was asked, and its app."""
    return AnthropicProvider()


@pytest.fixture(scope="module")
def url(provider, tmp_path_factory):
    """The address of Guard before the provider."""
    policy = tmp_path_factory.mktemp("messages") / "policy.yaml"
    policy.write_text(POLICY)
    with ExitStack() as stack:
        upstream = stack.enter_context(running(provider.app))
        settings = Settings(policy=str(policy), upstream="demo", anthropic_upstream=f"{upstream}/v1", store="none")
        yield stack.enter_context(running(create_app(settings)))


@pytest.fixture(scope="module")
def client(url):
    with anthropic.Anthropic(base_url=url, api_key="app-key", max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def _asked_nothing_yet(provider):
    provider.bodies.clear()
    provider.headers.clear()


def asked(content, **more):
    messages = content if isinstance(content, list) and "role" in content[0] else [{"role": "user", "content": content}]
    return {"model": "m", "max_tokens": 100, "messages": messages, **more}


def create(client, content, **more):
    return client.messages.create(**asked(content, **more))


def final(client, content, **more):
    """The message that the client's own helper puts together from a stream."""
    with client.messages.stream(**asked(content, **more)) as stream:
        return stream.get_final_message()


@pytest.fixture(params=[create, final], ids=["whole", "streamed"])
def ask(request, client):
    """Ask for a message, whole or streamed."""
    return lambda content, **more: request.param(client, content, **more)


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def test_an_answer_comes_through_with_its_usage_and_its_stop_reason(ask):
    said = "Tell me about the weather in Lisbon. " * 30
    message = ask(said)
    assert text_of(message) == said
    assert (message.stop_reason, message.id, message.usage.cache_read_input_tokens) == ("end_turn", "msg_1", 2)


def test_a_trigger_on_the_input_is_a_refusal_that_says_the_policys_text(ask, provider):
    message = ask("Is Acme better?")
    assert (message.stop_reason, text_of(message)) == ("refusal", "We only speak of ourselves.")
    assert provider.bodies == []


def test_a_trigger_on_the_output_is_a_refusal_that_keeps_what_was_used(ask):
    message = ask("advertise")
    assert message.stop_reason == "refusal"
    assert "Acme" not in text_of(message)
    assert text_of(message).endswith("I only speak of our own products.")
    assert message.usage.input_tokens == 3


def test_redacted_text_is_unknown_to_the_provider_and_restored_to_the_caller(ask, provider):
    assert text_of(ask(f"Where is {ORDER} now?")) == f"Where is {ORDER} now?"
    assert provider.bodies[0]["messages"][0]["content"] == "Where is [ORDER_NUMBER_1] now?"


def test_what_a_tool_is_given_is_restored(ask, provider):
    message = ask(f"use the tool on {ORDER}", tools=TOOLS)
    assert message.stop_reason == "tool_use"
    assert message.content[-1].input == {"order": f"use the tool on {ORDER}"}
    assert ORDER not in json.dumps(provider.bodies)


def test_a_loop_of_tools_hides_from_the_provider_what_was_restored_to_the_app(ask, provider):
    first = ask(f"use the tool on {ORDER}", tools=TOOLS)
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "text", "text": f"{ORDER} is on its way"}],
    }
    history = [
        {"role": "user", "content": f"use the tool on {ORDER}"},
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    assert f"{ORDER} is on its way" in text_of(ask(history, tools=TOOLS))
    assert ORDER not in json.dumps(provider.bodies)
    assert provider.bodies[1]["messages"][1]["content"][1]["input"] == {"order": "use the tool on [ORDER_NUMBER_1]"}


def test_a_thought_that_nobody_changed_can_be_sent_back_with_its_signature(ask):
    first = ask(f"think about {ORDER}")
    assert first.content[0].thinking == "They say: think about [ORDER_NUMBER_1]"
    history = [{"role": "user", "content": f"think about {ORDER}"}, {"role": "assistant", "content": first.content}]
    assert text_of(ask([*history, {"role": "user", "content": "and now?"}])) == "and now?"


def test_a_thought_that_was_redacted_loses_its_signature_and_is_not_sent_back(ask, provider):
    first = ask("think of KEY-123")
    assert "KEY-123" not in first.content[0].thinking
    assert first.content[0].signature == "changed-by-guard"
    history = [{"role": "user", "content": "think of something"}, {"role": "assistant", "content": first.content}]
    assert text_of(ask([*history, {"role": "user", "content": "and now?"}])) == "and now?"
    assert [block["type"] for block in provider.bodies[1]["messages"][1]["content"]] == ["text"]


def test_citations_and_what_the_provider_searched_come_through(ask):
    cited = ask(f"cite {ORDER}").content[-1].citations[0]
    assert (cited.cited_text, cited.document_title) == (f"cite {ORDER}", "Doc")
    searched = ask(f"search the web for {ORDER}")
    assert [block.type for block in searched.content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert searched.content[0].input == {"query": f"search the web for {ORDER}"}
    assert searched.content[1].content[0].title == "A page"


def test_images_system_prompts_and_unknown_fields_go_through(client, provider):
    system: list = [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]
    content = [PIXEL, {"type": "text", "text": "hello"}]
    raw = client.messages.with_raw_response.create(**asked(content, system=system, extra_body={"x_unknown": [1]}))
    assert raw.headers["x-guard-coverage"].endswith("unread=image:1")
    assert provider.bodies[0]["system"] == system
    assert provider.bodies[0]["messages"][0]["content"] == content
    assert provider.bodies[0]["x_unknown"] == [1]


def test_the_events_of_a_stream_come_in_their_order(client):
    kinds = [event.type for event in client.messages.create(**asked("hi", stream=True))]
    assert kinds == [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    ]


def test_the_beta_client_and_its_headers_work(client, provider):
    message = client.beta.messages.create(**asked("hello"), betas=["some-beta-2026-01-01"])
    assert message.content[0].text == "hello"
    assert provider.headers[0]["anthropic-beta"] == "some-beta-2026-01-01"


def test_the_callers_key_reaches_the_provider_as_it_came_and_the_version_does_too(client, url, provider):
    create(client, "hello")
    assert provider.headers[0]["authorization"] == "Bearer app-key"
    assert provider.headers[0]["anthropic-version"] == client.default_headers["anthropic-version"]
    # How older clients, and those in other languages, send it; and without a version.
    httpx.post(f"{url}/v1/messages", json=asked("hello"), headers={"x-api-key": "older"})
    assert provider.headers[1]["x-api-key"] == "older"
    assert provider.headers[1]["anthropic-version"] == "2023-06-01"


def test_tokens_are_counted_of_what_the_provider_would_get(client, provider):
    messages: list = [{"role": "user", "content": f"Where is {ORDER}?"}]
    assert client.messages.count_tokens(model="m", messages=messages).input_tokens == 42
    assert ORDER not in json.dumps(provider.bodies)
    with pytest.raises(anthropic.BadRequestError, match="We only speak of ourselves"):
        client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "Is Acme better?"}])


def test_models_are_those_of_the_provider(client):
    assert [model.id for model in client.models.list()] == ["m"]


def test_errors_are_the_clients_own_exceptions_with_what_the_provider_said(client):
    with pytest.raises(anthropic.RateLimitError) as limited:
        create(client, "be rate limited")
    assert (limited.value.response.headers["retry-after"], limited.value.request_id) == ("7", "req_2")
    assert limited.value.type == "rate_limit_error"
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": [{"text": "x"}]}])
    assert bad.value.type == "invalid_request_error"
    assert "messages[0].content[0]" in str(bad.value)


def test_a_client_that_tries_again_gets_its_answer(url, provider):
    provider.failures = 0
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=1) as client:
        assert text_of(create(client, "fail once")) == "fail once"
    assert len(provider.bodies) == 2


@pytest.mark.parametrize("said", ["break off after this", "overload in the middle"])
def test_a_stream_that_breaks_off_is_an_error_and_not_an_end(client, said):
    with pytest.raises(anthropic.APIError):
        final(client, said)


async def test_the_async_client_works_too(url):
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client:
        whole = await client.messages.create(**asked(f"Where is {ORDER}?"))
        async with client.messages.stream(**asked(f"Where is {ORDER}?")) as stream:
            pieces = [piece async for piece in stream.text_stream]
    assert text_of(whole) == "".join(pieces) == f"Where is {ORDER}?"


def test_the_provider_is_hung_up_on_when_the_caller_hangs_up(url, provider):
    with httpx.Client(base_url=url) as client:
        with client.stream("POST", "/v1/messages", json=asked("never stop", stream=True)) as response:
            next(response.iter_bytes())
            assert provider.streaming == 1
        assert until(lambda: provider.streaming == 0)
    with httpx.Client(base_url=url, timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
        client.post("/v1/messages", json=asked("be slow"))
    assert until(lambda: provider.abandoned == 1)
