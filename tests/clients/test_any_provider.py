"""litellm as the way to every other provider: here to one that speaks OpenAI's protocol at an address of its own."""

import json
from contextlib import ExitStack

import httpx
import pytest

from guard.proxy.app import create_app
from guard.settings import Settings
from tests.clients.provider import Provider
from tests.fakes import Streamed
from tests.proxy.conftest import POLICY, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """A client of Guard before litellm before a provider, and that provider."""
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text(POLICY)
    provider = Provider()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        upstream = stack.enter_context(running(provider.app))
        patch.setenv("OPENAI_API_BASE", f"{upstream}/v1")
        patch.setenv("PROVIDER_KEY", "sk-provider")
        settings = Settings(
            policy=str(policy), upstream="litellm/openai", upstream_key_env="PROVIDER_KEY", store="none"
        )
        url = stack.enter_context(running(create_app(settings)))
        yield (
            stack.enter_context(httpx.Client(base_url=url, timeout=30, headers={"authorization": "Bearer app"})),
            provider,
        )


def ask(client, content, **more):
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **more}
    return client.post("/v1/chat/completions", json=body)


def test_an_answer_comes_through_and_redaction_works_whole_and_streamed(reached):
    client, provider = reached
    whole = ask(client, "Where is ORD-12345678?")
    assert whole.json()["choices"][0]["message"]["content"] == "Where is ORD-12345678?"
    stream = Streamed(ask(client, "Where is ORD-12345678?", stream=True).text)
    assert (stream.text, stream.finish, stream.done) == ("Where is ORD-12345678?", "stop", True)
    assert "12345678" not in json.dumps(provider.bodies)


def test_the_provider_gets_its_own_key_and_never_the_apps(reached):
    client, provider = reached
    ask(client, "hello")
    assert provider.headers[-1]["authorization"] == "Bearer sk-provider"


def test_an_answer_that_triggers_is_cut_off(reached):
    client, _ = reached
    stream = Streamed(ask(client, "advertise", stream=True).text)
    assert "Acme" not in stream.text
    assert stream.finish == "content_filter"


def test_the_providers_limits_are_the_callers_to_see(reached):
    client, _ = reached
    response = ask(client, "be rate limited")
    assert response.status_code == 429
    assert response.json()["error"]["type"] == "upstream_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_of_guards_that_is_refused_is_guards_fault_and_stays_unseen(reached, stream):
    client, _ = reached
    response = ask(client, "refuse the key", stream=stream)
    assert response.status_code == 502
    assert "key was refused" in response.text
    assert "sk-" not in response.text


def test_models_are_not_made_up(reached):
    client, _ = reached
    assert client.get("/v1/models").status_code == 400
