"""The other routes: one check, moderations, models, health."""

import json
from urllib.parse import quote

import pytest

from guard.metrics import Metric, Score
from guard.metrics.registry import REGISTRY
from guard.proxy import moderations
from tests.proxy.conftest import ask


def check(client, **body):
    return client.post("/v1/guard/check", json=body)


def test_a_check_tells_the_decision_the_scores_and_what_to_go_on_with(client):
    response = check(client(), text="Where is ORD-12345678?")
    found = response.json()
    assert found["status"] == "triggered"
    assert found["allowed"]
    assert (found["action"], found["ruleset"]) == ("redact", "hide orders")
    assert found["texts"] == ["Where is [ORDER_NUMBER_1]?"]
    assert {entry["metric"]: entry["value"] for entry in found["measurements"]} == {
        "rivals": [],
        "order": ["order_number"],
    }
    assert found["event"] == response.headers["x-guard-event"]
    assert "hide orders" in found["why"]


def test_a_check_of_the_output_gives_the_reply_and_none_of_the_texts(client):
    found = check(client(), stage="output", text="Acme is better").json()
    assert not found["allowed"]
    assert found["reply"] == "I only speak of our own products."
    assert found["texts"] == []


def test_a_whole_turn_can_be_checked(client):
    found = check(
        client(), stage="output", messages=[{"role": "user", "content": "hi"}], output=["fine", "Globex"]
    ).json()
    assert found["ruleset"] == "no rivals"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"stage": "outptu", "text": "a"}, "stage"),
        ({"txt": "a"}, "txt"),
        ({"text": 7}, "text"),
        ({}, "text"),
        ({"text": "a", "output": "b"}, "text"),
        ({"text": "a", "stage": "output", "labels": {"user": 7}}, "labels.user"),
    ],
)
def test_a_check_that_is_not_understood_names_the_field(client, body, param):
    response = check(client(), **body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_models_are_the_providers(client):
    assert client().get("/v1/models").json()["data"][0]["id"] == "m"


@pytest.mark.parametrize(("name", "asked"), [("m", "models/m"), ("maker/model:1", "models/maker/model%3A1")])
def test_one_model_is_asked_for_by_its_name(client, name, asked):
    response = client().get(f"/v1/models/{name}")
    assert response.status_code == 200
    assert response.json()["data"][0]["owned_by"] == asked  # this provider says where it was asked


def test_ready_names_the_policies_in_force(client):
    state = client().get("/readyz").json()
    assert state["status"] == "ready"
    assert state["policies"][0].startswith("test@")
    assert state["problem"] is None


@pytest.fixture
def toxicity(monkeypatch):
    """The metric `toxicity`, replaced by one that says what a test wants."""

    def replace(measure):
        metric = Metric("toxicity", measure)
        monkeypatch.setattr(moderations, "REGISTRY", REGISTRY.child({"toxicity": metric}))

    return replace


def rude(turn, side):
    bad = "idiot" in turn.passages(side)[0]
    score = 0.9 if bad else 0.1
    return Score(score, labels=("insult",) if bad else (), by_label={"insult": score, "threat": 0.01})


def moderate(client, given):
    return client.post("/v1/moderations", json={"input": given})


def test_moderations_are_answered_in_openais_shape_by_the_local_metric(client, toxicity):
    toxicity(rude)
    response = moderate(client(), ["you idiot", "good morning"]).json()
    first, second = response["results"]
    assert (first["flagged"], second["flagged"]) == (True, False)
    assert first["categories"]["harassment"] is True
    assert first["category_scores"]["harassment"] == 0.9
    assert set(first["categories"]) == set(first["category_scores"]) == set(first["category_applied_input_types"])


def test_a_category_that_no_local_metric_knows_is_null_and_never_made_up(client, toxicity):
    toxicity(rude)
    first = moderate(client(), "you idiot").json()["results"][0]
    assert first["categories"]["illicit"] is None
    assert first["category_scores"]["illicit"] is None
    assert first["category_applied_input_types"]["illicit"] == []


def test_a_text_that_could_not_be_judged_is_an_error_and_never_not_flagged(client, toxicity):
    def broken(turn, side):
        raise RuntimeError("no weights")

    toxicity(broken)
    response = moderate(client(), "you idiot")
    assert response.status_code == 500
    assert "could not be judged" in response.json()["error"]["message"]


def test_parts_of_text_are_judged_together_as_one_input(client, toxicity):
    toxicity(rude)
    parts = [{"type": "text", "text": "you"}, {"type": "text", "text": "idiot"}]
    results = moderate(client(), parts).json()["results"]
    assert [result["flagged"] for result in results] == [True]


def test_an_image_is_refused_rather_than_left_unjudged_beside_a_text(client, toxicity):
    toxicity(rude)
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    response = moderate(client(), [{"type": "text", "text": "good morning"}, image])
    assert response.status_code == 400
    assert "images are not read" in response.json()["error"]["message"]


def test_every_category_that_is_not_null_is_a_label_of_the_local_model():
    known = {label for label in moderations.CATEGORIES.values() if label}
    assert known <= (REGISTRY["toxicity"].labels or frozenset())


@pytest.mark.parametrize("given", [None, 7, [], [1], ["a", 1], [{"type": "image_url"}], ["a"] * 129])
def test_inputs_that_are_not_understood_are_refused(client, given):
    assert moderate(client(), given).status_code == 400


@pytest.mark.parametrize("name", ["app", "model", "route", "self", "cls", "value", "side"])
def test_labels_may_have_any_name_and_none_of_them_changes_whose_turn_it_is(client, name):
    assert check(client(), text="hello", labels={name: "x"}).json()["allowed"]


def test_a_message_that_is_not_understood_is_refused_rather_than_left_unread(client):
    messages = [{"role": "user", "content": "hello"}, {"role": "user", "content": {"text": "Acme"}}]
    response = check(client(), messages=messages)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "messages[1].content"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["ключ 😀", "a\r\nx-evil: 1", "a/b+c, d"])
def test_a_metrics_name_never_breaks_the_headers(client, settings, name, stream):
    written = json.dumps(name, ensure_ascii=False)
    policy = f"""
policy: test
metrics:
  {written}: {{kind: keywords, words: [Acme]}}
stages:
  input:
    rulesets:
      - name: {written}
        rules: [{{metric: {written}, operator: not_empty}}]
"""
    response = ask(client(policy=policy), "hello", stream=stream)
    assert response.status_code == 200
    assert response.headers["x-guard-coverage"] == f"input={quote(name, safe='')}/-/-"
