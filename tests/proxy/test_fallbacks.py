"""Where the provider fails others are asked, each under the policy for its own model, and the answer says who."""

from contextlib import contextmanager

import openai
import pytest
from starlette.testclient import TestClient

from guard.errors import UpstreamError, UpstreamTimeout
from guard.proxy.app import create_app
from guard.proxy.upstream import UpstreamRefused
from tests.fakes import ScriptedUpstream, streamed
from tests.proxy.conftest import ask, running

SPARE = [{"model": "spare"}]
BUSY = {"error": {"message": "busy"}}

#: One policy for every model that reads nothing, and one for the model that stands in.
STRICT = """
policy: strict
applies_to: {models: [spare]}
metrics:
  rivals: {kind: keywords, words: [Acme]}
stages:
  input:
    rulesets:
      - name: no rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [Not here.]}
  output:
    rulesets:
      - name: no rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [Not here.]}
"""


def busy(**headers):
    return UpstreamRefused(503, BUSY, {name.replace("_", "-"): value for name, value in headers.items()})


class Down(ScriptedUpstream):
    """A provider one of whose models is down, from the first event or after some."""

    def __init__(self, *texts, error=None, model="m"):
        super().__init__(*texts)
        self.down, self.broken = model, error or busy()

    async def complete(self, path, body, headers):
        self._fail(body)
        return await super().complete(path, body, headers)

    async def stream(self, path, body, headers):
        self._fail(body)
        async for event in super().stream(path, body, headers):
            yield event

    def _fail(self, body):
        if body["model"] == self.down:
            self.bodies.append(body)
            raise self.broken

    @property
    def asked(self):
        return [body["model"] for body in self.bodies]


@pytest.fixture
def down(client, tmp_path):
    """A client of Guard before a provider that is down, with a spare model; and the provider."""

    def make(*texts, error=None, **more):
        upstream = Down(*texts, error=error)
        return client(upstream, **{"fallbacks": SPARE, "retries": 0, **more}), upstream

    return make


@pytest.fixture
def strict(settings, tmp_path):
    """The same under two policies: one that reads nothing, and this one."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "open.yaml").write_text("policy: open\napplies_to: {models: [m]}\n")

    @contextmanager
    def make(*texts, policy=STRICT):
        (folder / "strict.yaml").write_text(policy)
        upstream = Down(*texts)
        chosen = settings(fallbacks=SPARE, retries=0).model_copy(update={"policy": str(folder)})
        with TestClient(create_app(chosen, upstream=upstream)) as client:
            yield client, upstream

    return make


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", [busy(), UpstreamTimeout("late", cause="timeout"), UpstreamError("no JSON")])
def test_the_next_one_answers_and_the_header_names_it(down, error, stream):
    client, upstream = down("hello there", error=error)
    response = ask(client, "hi", stream=stream)
    assert response.status_code == 200
    assert response.headers["x-guard-upstream"] == "demo/spare"
    assert upstream.asked == ["m", "spare"]
    said = streamed(response).text if stream else response.json()["choices"][0]["message"]["content"]
    assert said == "hello there"


def test_the_first_one_is_named_too(client):
    assert ask(client(ScriptedUpstream()), "hi").headers["x-guard-upstream"] == "demo"


def test_a_policy_for_the_spare_model_stops_what_the_first_ones_let_pass(strict):
    with strict() as (client, upstream):
        response = ask(client, "Is Acme better?")
    assert response.json()["choices"][0]["message"]["content"] == "Not here."
    assert response.headers["x-guard-policy"].startswith("strict@")
    assert "x-guard-upstream" not in response.headers
    assert upstream.asked == ["m"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_policy_for_the_spare_model_reads_what_it_answers(strict, stream):
    with strict("Acme is better.") as (client, _):
        response = ask(client, "Who is best?", stream=stream)
    said = streamed(response).text if stream else response.json()["choices"][0]["message"]["content"]
    assert said == "Not here."


def test_a_spare_model_without_a_policy_is_never_asked(strict):
    with strict(policy=STRICT.replace("spare", "another")) as (client, upstream):
        response = ask(client, "hi")
    assert response.status_code == 503
    assert response.json() == BUSY
    assert upstream.asked == ["m"]


def test_a_request_that_the_provider_refuses_is_not_carried_elsewhere(down):
    refusal = UpstreamRefused(400, {"error": {"message": "too long"}}, {})
    client, upstream = down(error=refusal)
    assert ask(client, "hi").status_code == 400
    assert upstream.asked == ["m"]


def test_a_stream_that_breaks_after_it_began_is_not_begun_again_elsewhere(client):
    upstream = ScriptedUpstream("word " * 300, error=UpstreamError("broke off"), fail_after=200)
    response = ask(client(upstream, fallbacks=SPARE, retries=2, retry_on=["disconnect"]), "hi", stream=True)
    assert "error" in streamed(response).chunks[-1]
    assert len(upstream.bodies) == 1


def test_where_all_fail_the_first_ones_error_is_told_and_no_client_asks_again(down):
    client, upstream = down(fallbacks=[{"model": "m", "models": ["m"]}])
    response = ask(client, "hi")
    assert response.json() == BUSY
    assert response.headers["x-should-retry"] == "false"
    assert upstream.asked == ["m", "m"]


@pytest.mark.parametrize(("retries", "calls"), [(0, 3), (1, 2), (2, 3)])
def test_the_openai_client_does_not_multiply_the_retries(settings, served, retries, calls):
    upstream = Down(error=busy(retry_after_ms="1"))
    url = served(upstream, retries=retries, retry_wait=0.01)
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=2)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert len(upstream.bodies) == calls


def test_another_provider_gets_the_request_with_its_own_key_only(settings, served, monkeypatch):
    monkeypatch.setenv("SPARE_KEY", "spare-secret")
    seen = []

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        seen.append(dict(scope["headers"])[b"authorization"])
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    with running(app) as spare:
        fallback = {"upstream": f"{spare}/v1", "upstream_key_env": "SPARE_KEY", "name": "the spare one"}
        url = served(Down(), fallbacks=[fallback], retries=0)
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="the-apps-own", max_retries=0)
        with pytest.raises(openai.InternalServerError, match="busy"):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert seen == [b"Bearer spare-secret"]


def test_a_provider_that_keeps_failing_is_left_alone_and_readyz_says_so(client):
    upstream = Down()
    opened = client(upstream, retries=0, breaker_failures=2, breaker_pause=60)
    assert opened.get("/readyz").json()["upstreams"] == {"demo": "closed"}
    assert [ask(opened, "hi").status_code for _ in range(2)] == [503, 503]
    response = ask(opened, "hi")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "upstream_away"
    assert 0 < int(response.headers["retry-after"]) <= 60
    assert len(upstream.bodies) == 2
    ready = opened.get("/readyz")
    assert (ready.status_code, ready.json()["upstreams"]) == (200, {"demo": "open"})


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_says_who_was_asked_before_and_how_that_came_out(down, stream):
    opened, _ = down(retries=1)
    response = ask(opened, "hi", stream=stream)
    assert response.headers["x-guard-attempts"] == "demo=503+503, demo/spare=ok"
    assert "x-guard-breaker" not in response.headers


def test_one_that_was_given_at_once_says_nothing_of_it(client):
    headers = ask(client(), "hi").headers
    assert not {"x-guard-attempts", "x-guard-breaker"} & set(headers)


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_says_who_was_asked_and_whom_nobody_asks_for_a_while(client, stream):
    opened = client(Down(), retries=0, breaker_failures=1, breaker_pause=60)
    first, second = (ask(opened, "hi", stream=stream) for _ in range(2))
    assert (first.headers["x-guard-attempts"], first.headers["x-guard-breaker"]) == ("demo=503", "demo=open")
    assert (second.headers["x-guard-attempts"], second.headers["x-guard-breaker"]) == ("demo=away", "demo=open")


@pytest.mark.parametrize(("error", "outcome"), [(UpstreamTimeout("late", cause="timeout"), "timeout"),
                                                (UpstreamError("gone", cause="disconnect"), "disconnect"),
                                                (UpstreamError("no JSON"), "unclear")])  # fmt: skip
def test_a_call_that_had_no_answer_says_why(client, error, outcome):
    response = ask(client(Down(error=error), retries=0), "hi")
    assert response.headers["x-guard-attempts"] == f"demo={outcome}"
