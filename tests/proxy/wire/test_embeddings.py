"""Embeddings: what goes in is read, and a refusal is an error, since numbers cannot say a text."""

import pytest

from tests.proxy.wire.upstreams import Vectors


def ask(client, given, **more):
    return client.post("/v1/embeddings", json={"model": "m", "input": given, **more})


@pytest.mark.parametrize("given", ["one text", ["one", "two"]])
def test_texts_go_in_and_vectors_come_out(client, given):
    upstream = Vectors()
    response = ask(client(upstream), given, dimensions=1, encoding_format="float")
    assert upstream.asked == [
        ("embeddings", {"model": "m", "input": given, "dimensions": 1, "encoding_format": "float"})
    ]
    assert len(response.json()["data"]) == (1 if isinstance(given, str) else 2)
    assert response.headers["x-guard-coverage"].startswith("input=rivals")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("input", {}),
        ("input", {"input": []}),
        ("input", {"input": [1, 2]}),
        ("input", {"input": [[1, 2], [3]]}),
        ("input", {"input": ["a", 1]}),
        ("input", {"input": {"text": "a"}}),
        ("messages", {"input": "a", "messages": [{"role": "user", "content": "Acme"}]}),
        ("stream", {"input": "a", "stream": True}),
    ],
)
def test_what_cannot_be_read_is_refused(client, field, body):
    upstream = Vectors()
    response = client(upstream).post("/v1/embeddings", json={"model": "m", **body})
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)
    assert upstream.asked == []


@pytest.mark.parametrize(
    ("given", "sent"), [("ORD-12345678", "[ORDER_NUMBER_1]"), (["a", "ORD-12345678"], ["a", "[ORDER_NUMBER_1]"])]
)
def test_what_is_redacted_is_unknown_to_the_provider(client, given, sent):
    upstream = Vectors()
    assert ask(client(upstream), given).status_code == 200
    assert upstream.asked[0][1]["input"] == sent


def test_a_refusal_is_an_error_that_says_so_with_the_policys_text_and_the_headers(client):
    upstream = Vectors()
    response = ask(client(upstream), ["fine", "Is Acme better?"])
    assert response.status_code == 400
    assert response.json()["error"] == {
        "message": "We only speak of ourselves.",
        "type": "invalid_request_error",
        "param": "input",
        "code": "content_filter",
    }
    assert response.headers["x-guard-status"] == "triggered"
    assert "x-guard-event" in response.headers
    assert upstream.asked == []


@pytest.mark.parametrize("answer", [{}, {"data": "text"}, {"choices": []}])
def test_an_answer_that_is_not_understood_is_a_502(client, answer):
    assert ask(client(Vectors(answer)), "a").status_code == 502
