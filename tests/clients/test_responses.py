"""OpenAI's own client and others on `/v1/responses`, unchanged but for the base URL."""

import asyncio
import json
import time
from contextlib import ExitStack

import httpx
import openai
import pydantic
import pytest

from guard.proxy.app import create_app
from guard.settings import Settings
from tests.clients.responses_provider import ResponsesProvider
from tests.proxy.conftest import POLICY, running

pytestmark = pytest.mark.slow

OURS = "I only speak of our own products."
FIND = {
    "type": "function",
    "name": "find",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"order": {"type": "string"}},
        "required": ["order"],
        "additionalProperties": False,
    },
}


class Said(pydantic.BaseModel):
    """What the provider answers where JSON is asked for."""

    said: str


@pytest.fixture(scope="module")
def provider():
    return ResponsesProvider()


@pytest.fixture(scope="module")
def guarded(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    with ExitStack() as stack:
        upstream = stack.enter_context(running(provider.app))
        settings = Settings(policy=str(policy), upstream=f"{upstream}/v1", store="none")
        yield stack.enter_context(running(create_app(settings))) + "/v1"


@pytest.fixture(scope="module")
def client(guarded):
    with openai.OpenAI(base_url=guarded, api_key="app-key", max_retries=0) as client:
        yield client


def whole(client, given, **more):
    return client.responses.create(model="m", input=given, **more)


def streamed(client, given, **more):
    """The response at the end of a stream, as the client's own helper puts it together, and the text of its deltas."""
    with client.responses.stream(model="m", input=given, **more) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    return final, text


def test_an_answer_comes_through_whole_and_streamed(client):
    said = "Tell me about the weather in Lisbon. " * 30
    assert whole(client, said).output_text == said
    final, text = streamed(client, said)
    assert final.output_text == text == said
    assert final.usage.total_tokens == 8


def test_redacted_text_is_unknown_to_the_provider_and_restored_to_the_caller(client, provider):
    said = "Where is ORD-12345678 now?"
    assert whole(client, said).output_text == said
    final, text = streamed(client, said)
    assert final.output_text == text == said
    assert [body["input"] for body in provider.bodies[-2:]] == ["Where is [ORDER_NUMBER_1] now?"] * 2


def test_a_trigger_on_the_input_is_shown_like_an_answer(client, provider):
    answer = whole(client, "Is Acme better?")
    assert (answer.output_text, answer.incomplete_details.reason) == ("We only speak of ourselves.", "content_filter")
    final, text = streamed(client, "Is Acme better?")
    assert final.output_text == text == "We only speak of ourselves."
    assert provider.bodies == []


def test_a_trigger_on_the_output_ends_the_answer_with_the_policys_text(client):
    assert whole(client, "advertise").output_text == OURS
    final, text = streamed(client, "think and advertise")
    assert text == final.output_text
    assert text.startswith("word word")
    assert text.endswith(f"\n\n{OURS}")
    assert final.incomplete_details.reason == "content_filter"


@pytest.mark.parametrize(("given", "said"), [("Is Acme better?", "We only speak of ourselves."), ("advertise", OURS)])
def test_who_parses_the_answer_gets_a_refusal_and_no_exception(client, given, said):
    for answer in (
        client.responses.parse(model="m", input=given, text_format=Said),
        streamed(client, given, text_format=Said)[0],
    ):
        assert answer.output_parsed is None
        assert answer.output[-1].content[0].refusal == said


def test_an_answer_in_json_is_parsed_with_what_was_put_back(client):
    said = "about ORD-12345678"
    assert client.responses.parse(model="m", input=said, text_format=Said).output_parsed == Said(said=said)
    assert streamed(client, said, text_format=Said)[0].output_parsed == Said(said=said)


def test_tools_are_called_with_what_was_put_back_and_their_results_go_on_without_it(client, provider):
    said = "use the tool on ORD-12345678 please"
    call = client.responses.parse(model="m", input=said, tools=[FIND]).output[0]
    assert call.parsed_arguments == {"order": said}
    final, _ = streamed(client, said, tools=[FIND])
    assert final.output[0].parsed_arguments == {"order": said}
    history = [
        {"role": "user", "content": said},
        final.output[0].to_dict(),
        {"type": "function_call_output", "call_id": call.call_id, "output": "ORD-12345678 is in Lisbon"},
    ]
    assert whole(client, history, tools=[FIND]).output_text == "ORD-12345678 is in Lisbon"
    assert "12345678" not in json.dumps(provider.bodies[-1])


def test_a_refused_turn_can_be_continued(client, provider):
    first = whole(client, "hello")
    refused = whole(client, "Is Acme better?", previous_response_id=first.id)
    after = whole(client, "never mind", previous_response_id=refused.id)
    assert after.output_text == "never mind"
    assert provider.bodies[-1]["previous_response_id"] == first.id
    cut, _ = streamed(client, "advertise", previous_response_id=first.id)
    assert whole(client, "never mind", previous_response_id=cut.id).output_text == "never mind"
    assert provider.bodies[-1]["previous_response_id"] == first.id


def test_a_turn_that_continues_another_says_so_and_shares_no_placeholder_with_it(client, provider):
    first = client.responses.with_raw_response.create(model="m", input="It is ORD-12345678")
    assert "unread" not in first.headers["x-guard-coverage"]
    continued = client.responses.with_raw_response.create(
        model="m", input="No, ORD-87654321", previous_response_id=first.parse().id
    )
    assert "unread=earlier:1" in continued.headers["x-guard-coverage"]
    assert continued.parse().output_text == "No, ORD-87654321"
    assert "[ORDER_NUMBER_1]" in provider.bodies[-2]["input"]
    assert "[ORDER_NUMBER_1]" not in provider.bodies[-1]["input"]


def test_an_answer_in_the_background_and_stored_answers_are_refused_with_the_reason(client):
    with pytest.raises(openai.BadRequestError, match="no stage reads it"):
        whole(client, "hello", background=True)
    stored = whole(client, "hello")
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.PermissionDeniedError, match="open_routes"):
            ask(stored.id)
    with pytest.raises(openai.PermissionDeniedError, match="open_routes"):
        client.responses.input_items.list(stored.id)


def test_the_providers_errors_are_the_clients_own_exceptions(client):
    with pytest.raises(openai.RateLimitError) as limited:
        whole(client, "be rate limited")
    assert limited.value.response.headers["retry-after"] == "7"


def test_a_stream_that_the_provider_breaks_off_is_an_error_and_not_an_end(client):
    with pytest.raises(openai.APIError):
        streamed(client, "break off after this")


def test_the_provider_is_hung_up_on_when_the_caller_hangs_up(guarded, provider):
    asked = {"model": "m", "input": "never stop", "stream": True}
    with httpx.Client(base_url=guarded) as client, client.stream("POST", "/responses", json=asked) as response:
        next(response.iter_bytes())
        assert provider.streaming == 1
    until = time.monotonic() + 10
    while provider.streaming and time.monotonic() < until:
        time.sleep(0.02)
    assert provider.streaming == 0


async def test_the_async_client_works_too(guarded):
    async with openai.AsyncOpenAI(base_url=guarded, api_key="k", max_retries=0) as client:
        answer, stream = await asyncio.gather(
            client.responses.create(model="m", input="about ORD-12345678"),
            client.responses.create(model="m", input="about ORD-12345678", stream=True),
        )
        assert answer.output_text == "about ORD-12345678"
        assert [event async for event in stream][-1].response.output_text == "about ORD-12345678"
        async with client.responses.stream(model="m", input="advertise") as helper:
            assert (await helper.get_final_response()).output_text.endswith(OURS)


def test_langchain_and_litellm_show_what_guard_says(guarded):
    import litellm
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=guarded, api_key="k", model="m", max_retries=0, use_responses_api=True)
    assert model.invoke("Where is ORD-12345678?").text == "Where is ORD-12345678?"
    assert "".join(chunk.text for chunk in model.stream("advertise")).endswith(OURS)
    answer = litellm.responses(model="openai/m", input="Is Acme better?", api_base=guarded, api_key="k")
    assert answer.output_text == "We only speak of ourselves."
