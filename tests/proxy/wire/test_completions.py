"""The older completions: prompts of every shape, choices whole and streamed."""

import json

import pytest

from tests.proxy.wire.upstreams import Texts

SORRY = "We only speak of ourselves."
OURS = "I only speak of our own products."


def ask(client, prompt, **more):
    return client.post("/v1/completions", json={"model": "m", "prompt": prompt, **more})


def said(response):
    """The texts of each choice, and how each ended, of a streamed answer; and whether it came to its end."""
    data = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    texts, finish = {}, {}
    for event in data[:-1] if data[-1] == "[DONE]" else data:
        for choice in json.loads(event).get("choices", []):
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
            finish[choice["index"]] = choice["finish_reason"] or finish.get(choice["index"])
    return texts, finish, data[-1] == "[DONE]"


@pytest.mark.parametrize("prompt", ["Once upon", ["Once upon", "Twice upon"]])
def test_prompts_and_answers_go_through(client, prompt):
    upstream = Texts("a time.", "a day.")
    response = ask(client(upstream), prompt, max_tokens=7, suffix="the end", x_unknown={"a": 1})
    assert upstream.asked == [("completions", {"model": "m", "prompt": prompt, "max_tokens": 7, "suffix": "the end",
                                               "x_unknown": {"a": 1}})]  # fmt: skip
    assert [choice["text"] for choice in response.json()["choices"]] == ["a time.", "a day."]
    assert response.json()["choices"][0]["logprobs"] is not None
    assert response.headers["x-guard-coverage"].startswith("input=")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("prompt", {}),
        ("prompt", {"prompt": []}),
        ("prompt", {"prompt": None}),
        ("prompt", {"prompt": [1, 2, 3]}),
        ("prompt", {"prompt": [[1, 2], [3]]}),
        ("prompt", {"prompt": ["text", [1]]}),
        ("suffix", {"prompt": "a", "suffix": 1}),
        ("prompt_embeds", {"prompt": "a", "prompt_embeds": "AAAA"}),
    ],
)
def test_what_cannot_be_read_is_refused(client, field, body):
    upstream = Texts("fine")
    response = client(upstream).post("/v1/completions", json={"model": "m", **body})
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)
    assert upstream.asked == []


def test_more_prompts_than_the_limit_are_refused(client):
    assert ask(client(Texts("fine"), max_messages=2), ["a", "b", "c"]).status_code == 413


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "body", [{"prompt": "Is Acme better?"}, {"prompt": ["a", "Acme"]}, {"prompt": "a", "suffix": "Acme"}]
)
def test_a_refused_prompt_is_answered_with_the_policys_text(client, stream, body):
    upstream = Texts("fine")
    response = client(upstream).post("/v1/completions", json={"model": "m", "stream": stream, **body})
    assert upstream.asked == []
    if stream:
        assert said(response) == ({0: SORRY}, {0: "content_filter"}, True)
    else:
        (choice,) = response.json()["choices"]
        assert (choice["text"], choice["finish_reason"]) == (SORRY, "content_filter")


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_redacted_is_unknown_to_the_provider_and_restored_in_every_choice(client, stream):
    upstream = Texts("Of [ORDER_NUMBER_1].", "[ORDER_NUMBER_1] too.", piece=3)
    response = ask(client(upstream), ["on ORD-12345678", "and"], suffix="ORD-12345678.", stream=stream)
    (_, body), = upstream.asked  # fmt: skip
    assert (body["prompt"], body["suffix"]) == (["on [ORDER_NUMBER_1]", "and"], "[ORDER_NUMBER_1].")
    texts = {0: "Of ORD-12345678.", 1: "ORD-12345678 too."}
    if stream:
        assert said(response) == (texts, {0: "stop", 1: "stop"}, True)
    else:
        assert {choice["index"]: choice["text"] for choice in response.json()["choices"]} == texts


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
def test_a_key_is_redacted_however_the_stream_is_cut_and_takes_its_log_probabilities_along(client, piece):
    upstream = Texts("Well, " * 200 + "KEY-1234 it is. " + "So. " * 200, "Nothing here.", piece=piece)
    response = ask(client(upstream), "a", stream=True, logprobs=1)
    texts, _, done = said(response)
    assert done
    assert texts == {0: upstream.texts[0].replace("KEY-1234", "[KEY_1]"), 1: "Nothing here."}
    assert "KEY" not in response.text.replace("[KEY_1]", "")


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_answer_is_cut_off_and_says_the_policys_text(client, stream):
    upstream = Texts("Fine. " * 300 + "Acme is better. " + "Go there. " * 300, piece=4)
    response = ask(client(upstream), "a", stream=stream)
    assert "Acme" not in response.text
    if stream:
        texts, finish, done = said(response)
        assert texts[0].startswith("Fine. ")
        assert texts[0].endswith(f"\n\n{OURS}")
        assert (finish, done, upstream.closed) == ({0: "content_filter"}, True, True)
    else:
        assert [choice["text"] for choice in response.json()["choices"]] == [OURS]


def test_a_text_in_a_field_that_nobody_knows_is_read(client):
    upstream = Texts(
        "fine", beside={"reasoning": "KEY-1", "message": {"content": "KEY-2"}, "delta": {"content": "KEY-3"}}
    )
    response = ask(client(upstream), "a")
    assert response.json()["choices"][0]["reasoning"] == "[KEY_1]"
    assert "KEY-" not in response.text


@pytest.mark.parametrize("answer", [{}, {"choices": 1}, {"choices": ["a"]}, {"choices": [{"text": 1}]},
                                    {"choices": [{"text": "a", "index": "b"}]}])  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_not_understood_is_no_answer(client, answer, stream):
    response = ask(client(Texts(answer=answer)), "a", stream=stream)
    assert "upstream_error" in response.text
    assert "[DONE]" not in response.text
