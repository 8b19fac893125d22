"""The official openai client for Python, unchanged but for its base URL."""

import openai
import pytest

pytestmark = pytest.mark.slow

TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.fixture(scope="module")
def client(guarded):
    with openai.OpenAI(base_url=guarded, api_key="app-key", max_retries=0) as client:
        yield client


def create(client, content, **more):
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}], **more)


def text_of(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_an_answer_comes_through_whole_and_streamed(client):
    said = "Tell me about the weather in Lisbon. " * 30
    assert create(client, said).choices[0].message.content == said
    assert text_of(create(client, said, stream=True)) == said


def test_a_trigger_is_a_content_filter_whole_and_streamed(client):
    whole = create(client, "Is Acme better?").choices[0]
    assert (whole.finish_reason, whole.message.content) == ("content_filter", "We only speak of ourselves.")
    chunks = list(create(client, "Is Acme better?", stream=True))
    assert text_of(chunks) == "We only speak of ourselves."
    assert chunks[-1].choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("stream", [False, True])
def test_redacted_text_is_unknown_to_the_provider_and_restored_to_the_caller(client, provider, stream):
    answer = create(client, "Where is ORD-12345678 now?", stream=stream)
    text = text_of(answer) if stream else answer.choices[0].message.content
    assert text == "Where is ORD-12345678 now?"
    assert provider.bodies[0]["messages"][0]["content"] == "Where is [ORDER_NUMBER_1] now?"


def test_tools_images_usage_and_unknown_fields_go_through_both_ways(client, provider):
    content = [{"type": "text", "text": "use the tool on ORD-12345678"}, PIXEL]
    answer = create(client, content, tools=TOOLS, extra_body={"x_unknown": {"a": 1}}, temperature=0.5)
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.arguments == '{"order": "use the tool on ORD-12345678 "}'
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.model_extra["x_vendor"] == 1
    assert provider.bodies[0]["x_unknown"] == {"a": 1}
    assert provider.bodies[0]["messages"][0]["content"][1] == PIXEL
    assert provider.bodies[0]["tools"] == TOOLS


def test_streamed_tool_calls_are_put_together_by_the_clients_own_helper(client):
    with client.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "use the tool on ORD-12345678"}], tools=TOOLS
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == '{"order": "use the tool on ORD-12345678"}'


def test_usage_at_the_end_of_a_stream_is_there(client):
    chunks = list(create(client, "hello", stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.total_tokens == 2


def test_the_headers_name_the_decision(client):
    raw = client.chat.completions.with_raw_response.create(model="m", messages=[{"role": "user", "content": "hello"}])
    assert raw.headers["x-guard-status"] == "not_triggered"
    assert raw.headers["x-guard-policy"].startswith("test@")


def test_the_providers_errors_are_the_clients_own_exceptions(client):
    with pytest.raises(openai.RateLimitError) as limited:
        create(client, "be rate limited")
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.InternalServerError):
        create(client, "speak garbage")
    with pytest.raises(openai.InternalServerError):
        create(client, "fail as html")


def test_a_stream_that_the_provider_breaks_off_is_an_error_and_not_an_end(client):
    with pytest.raises(openai.APIError):
        text_of(create(client, "break off after this", stream=True))


def test_models_and_moderations_are_answered(client):
    assert [model.id for model in client.models.list()] == ["m"]
    assert client.models.retrieve("m").id == "m"
    rude, polite = client.moderations.create(input=["you are a stupid idiot, shut up", "have a nice day"]).results
    assert (rude.flagged, rude.categories.harassment, polite.flagged) == (True, True, False)
    assert rude.category_scores.harassment > 0.5 > polite.category_scores.harassment
    with pytest.raises(openai.BadRequestError, match="images are not read"):
        client.moderations.create(input=[PIXEL])


async def test_the_async_client_works_too(guarded):
    async with openai.AsyncOpenAI(base_url=guarded, api_key="k", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hello there"}], stream=True
        )
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert "".join(pieces) == "hello there"


def test_the_older_completions_work_whole_and_streamed(client, provider):
    asked = {"model": "m", "prompt": "Where is ORD-12345678?", "n": 2}
    texts = ["Where is ORD-12345678? and so on."] * 2
    assert [choice.text for choice in client.completions.create(**asked).choices] == texts
    assert "12345678" not in str(provider.bodies)
    streamed = {0: "", 1: ""}
    for chunk in client.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    assert list(streamed.values()) == texts
    chunks = list(client.completions.create(model="m", prompt="advertise", stream=True))
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert "Acme" not in "".join(chunk.choices[0].text for chunk in chunks)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_of_redacted_texts_are_made_and_a_refused_text_is_an_error(client, provider, encoding):
    made = client.embeddings.create(model="m", input=["ORD-12345678", "b"], encoding_format=encoding)
    assert len(made.data) == 2
    assert provider.bodies[0]["input"] == ["[ORDER_NUMBER_1]", "b"]
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="m", input="Is Acme better?")
    assert refused.value.code == "content_filter"
    assert "We only speak of ourselves." in str(refused.value)
