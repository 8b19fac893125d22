from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from examples.fastapi_app import app

RIVAL = "I can only speak about our own products."
SECRET = "I can't talk about that yet."


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is ORD-12345678?", "You wrote: Where is ORD-12345678?"),
        ("Is Acme cheaper?", RIVAL),
        ("And Project Falcon?", SECRET),
    ],
)
def test_an_endpoint_answers_in_its_own_shape(client, question, answer):
    response = client.post("/chat", json={"question": question})
    assert (response.status_code, response.json()) == (200, {"answer": answer})


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is ORD-12345678?", "You wrote: Where is ORD-12345678? "),
        ("Is Acme cheaper?", RIVAL),
        ("And Project Falcon?", SECRET),
    ],
)
def test_a_stream_is_guarded_too(client, question, answer):
    with client.stream("POST", "/stream", json={"question": question}) as response:
        assert response.read().decode() == answer


def test_a_block_becomes_the_error_that_the_app_makes_of_it(client):
    response = client.post("/strict", json={"question": "Is Acme cheaper?"})
    assert (response.status_code, response.json()) == (400, {"detail": RIVAL})
    assert client.post("/strict", json={"question": "Hello"}).json() == {"answer": "You wrote: Hello"}


def test_a_protected_endpoint_keeps_its_signature(client):
    operation = client.get("/openapi.json").json()["paths"]["/chat"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Question"
    }
    assert client.post("/chat", json={"wrong": 1}).status_code == 422


def test_an_endpoint_of_a_module_with_postponed_annotations_keeps_its_signature():
    space: dict[str, object] = {}
    exec(POSTPONED, space)
    with TestClient(space["app"]) as client:  # type: ignore[arg-type] - it is an app
        assert client.post("/chat", json={"question": "Is Acme cheaper?"}).json() == {"answer": RIVAL}


POSTPONED = """
from __future__ import annotations
import guard
from examples.fastapi_app import POLICY, Answer, FastAPI, Question
app = FastAPI()

@app.post("/chat")
@guard.protect(policy=POLICY, input="body.question", output="answer")
def chat(body: Question) -> Answer:
    return Answer(answer="never")
"""
