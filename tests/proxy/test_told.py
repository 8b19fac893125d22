"""Errors that providers tell: some hold what the model had said, which nobody has read yet."""

import pytest

from guard.proxy.upstream import UpstreamRefused
from tests.fakes import ScriptedUpstream
from tests.proxy.conftest import ask


def refused(generation):
    told = {"message": "Failed to call a function.", "code": "tool_use_failed", "failed_generation": generation}
    return ScriptedUpstream(error=UpstreamRefused(400, {"error": told}, {}))


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_provider_tells_of_its_refusal_is_read_like_an_answer(client, stream):
    redacted = ask(client(refused("it is KEY-1, for [ORDER_NUMBER_1]")), "for ORD-12345678", stream=stream)
    assert redacted.status_code == 400
    assert redacted.json()["error"]["failed_generation"] == "it is [KEY_1], for ORD-12345678"
    overridden = ask(client(refused("Acme is better")), "hello", stream=stream)
    assert overridden.status_code == 400
    assert overridden.json()["error"]["message"] == "I only speak of our own products."
    assert overridden.headers["x-guard-status"] == "triggered"
    assert "Acme" not in overridden.text


def test_an_error_that_triggers_nothing_is_the_providers_own(client):
    assert ask(client(refused("nothing")), "hello").json()["error"]["failed_generation"] == "nothing"
