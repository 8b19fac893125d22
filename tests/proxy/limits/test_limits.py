"""Callers stay within their limits, whatever protocol they speak, and are told how much is left."""

import json

import openai
import pytest

from guard.errors import RateLimited, UpstreamError
from guard.keys import hash_key
from guard.proxy.auth import Caller
from guard.proxy.limits import Limits
from guard.proxy.limits.usage import Count
from guard.redis import SharedRedis
from guard.settings import Limit
from tests.fakes import Clock, ScriptedUpstream, streamed
from tests.proxy.conftest import ask
from tests.redis_server import free_port, redis_server

SHOP = Caller("shop", "main")


def limits(*written, **more):
    return Limits([Limit(**one) for one in written], clock=Clock(1_000_000.0), **more)


async def let_in(limits, caller=SHOP, **labels):
    try:
        return await limits.enter(caller, labels)
    except RateLimited as error:
        return error


async def test_without_limits_nothing_is_counted_and_nothing_told():
    lease = await let_in(limits())
    assert (lease.headers, lease.count, lease.give_back) == ({}, None, None)


async def test_every_user_has_a_count_of_their_own_and_who_names_none_is_one_user():
    per_user = limits({"per": "user", "requests": 1})
    outcomes = [await let_in(per_user, **labels) for labels in ({"user": "a"}, {"user": "b"}, {}, {"user": "a"}, {})]
    assert [isinstance(one, RateLimited) for one in outcomes] == [False, False, False, True, True]


async def test_a_keys_own_labels_count_rather_than_what_requests_say():
    per_user = limits({"per": "user", "requests": 1})
    caller = Caller("shop", "main", labels={"user": "the shop"})
    assert not isinstance(await let_in(per_user, caller, user="a"), RateLimited)
    assert isinstance(await let_in(per_user, caller, user="b"), RateLimited)


async def test_apps_and_keys_do_not_use_up_each_others():
    per_key = limits({"per": "key", "requests": 1})
    callers = [SHOP, Caller("shop", "other"), Caller("desk", "main"), SHOP]
    assert [isinstance(await let_in(per_key, one), RateLimited) for one in callers] == [False, False, False, True]


async def test_the_first_limit_that_names_the_app_holds():
    both = limits({"apps": ["sh*"], "requests": 1}, {"requests": 5})
    assert [isinstance(await let_in(both), RateLimited) for _ in range(2)] == [False, True]
    assert not isinstance(await let_in(both, Caller("desk")), RateLimited)
    assert not isinstance(await let_in(both, Caller("desk")), RateLimited)


async def test_a_budget_and_a_rate_hold_together():
    both = limits({"requests": 100}, {"every": "month", "requests": 1})
    assert not isinstance(await let_in(both), RateLimited)
    error = await let_in(both)
    assert "1 requests a month are used up for this app" in str(error)
    assert error.retry_after > 3600


async def test_while_redis_is_away_each_worker_counts_for_itself():
    redis = SharedRedis(f"redis://127.0.0.1:{free_port()}/0")
    alone = limits({"requests": 1, "tokens": 10}, redis=redis)
    lease = await let_in(alone)
    assert isinstance(await let_in(alone), RateLimited)
    assert redis.problem
    await lease.end()
    await redis.aclose()


@pytest.mark.slow
async def test_through_redis_workers_count_together():
    with redis_server() as url:
        workers = [SharedRedis(url, timeout=5.0) for _ in range(2)]
        one, other = (limits({"requests": 2, "concurrent": 1}, redis=redis) for redis in workers)
        lease = await let_in(one)
        assert "at once" in str(await let_in(other))
        await lease.end()
        assert not isinstance(await let_in(other), RateLimited)
        assert "used up" in str(await let_in(one))
        for redis in workers:
            await redis.aclose()


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_over_the_limit_gets_a_429_that_says_when_and_nobody_is_asked(client, stream):
    upstream = ScriptedUpstream()
    opened = client(upstream, limits=[{"every": "day", "requests": 1}])
    first = ask(opened, "hi", stream=stream)
    assert first.headers["x-ratelimit-limit-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    second = ask(opened, "hi", stream=stream)
    assert second.status_code == 429
    assert second.json()["error"]["code"] == "rate_limit_exceeded"
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(second.headers["retry-after"]) <= 86_400
    assert len(upstream.bodies) == 1


def test_the_openai_client_knows_it_for_what_it_is(served):
    url = served(ScriptedUpstream(), limits=[{"every": "month", "requests": 1}])
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=2)
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.RateLimitError, match="used up for this app"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("outcome", ["answered", "failed", "overridden", "bad"])
def test_what_was_under_way_is_given_back_however_it_ended(client, stream, outcome):
    upstream = ScriptedUpstream(error=UpstreamError("no") if outcome == "failed" else None)
    opened = client(upstream, limits=[{"concurrent": 1}], retries=0, breaker_failures=0)
    text = "Acme" if outcome == "overridden" else "hi"
    more = {"messages": "none"} if outcome == "bad" else {}
    for _ in range(3):
        assert ask(opened, text, stream=stream, **more).status_code != 429
    assert ask(opened, "hi", stream=stream).status_code != 429


class Counting(ScriptedUpstream):
    """A provider that says how many tokens a stream took, as OpenAI does, when asked to."""

    async def stream(self, path, body, headers):
        async for event in super().stream(path, body, headers):
            yield event
        if (body.get("stream_options") or {}).get("include_usage"):
            yield {"id": "1", "choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 70}}


@pytest.mark.parametrize("wanted", [False, True])
def test_a_streams_tokens_count_and_its_usage_is_shown_to_who_asked_for_it(client, wanted):
    opened = client(Counting("some words"), limits=[{"every": "day", "tokens": 150}])
    more = {"stream_options": {"include_usage": True}} if wanted else {}
    first = ask(opened, "hi", stream=True, **more)
    assert any(chunk.get("usage") for chunk in streamed(first).chunks) is wanted
    assert streamed(first).text == "some words"
    assert ask(opened, "hi").headers["x-ratelimit-remaining-tokens"] == "50"


def test_a_budget_of_tokens_ends_when_it_is_used_up(client):
    opened = client(ScriptedUpstream(), limits=[{"every": "month", "tokens": 3}])
    statuses = [ask(opened, "hi").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize(
    ("events", "tokens"),
    [
        ([{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}], 7),
        ([{"usage": {"input_tokens": 3, "output_tokens": 4}}], 7),
        ([{"response": {"usage": {"input_tokens": 3, "output_tokens": 4}}}], 7),
        ([{"message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}, {"usage": {"output_tokens": 9}}], 12),
        ([{"choices": []}, {"choices": [], "usage": None}], 2),
        ([{"usage": {"prompt_tokens": "3"}}], 1),
    ],
)
def test_tokens_are_read_from_every_protocols_usage_and_estimated_without_one(events, tokens):
    count = Count()
    for event in events:
        count.note(json.loads(json.dumps(event)))
    assert count.tokens == tokens


def test_requests_without_a_known_key_use_up_nobodys_limit(client):
    apps = {"shop": [f"sha256:{hash_key('k')}"]}
    opened = client(ScriptedUpstream(), apps=apps, limits=[{"requests": 1}])
    assert [ask(opened, "hi").status_code for _ in range(3)] == [401] * 3
    opened.headers["authorization"] = "Bearer k"
    assert ask(opened, "hi").status_code == 200


@pytest.mark.parametrize("written", [{}, {"requests": 0}, {"per": "planet", "requests": 1}])
def test_a_limit_that_limits_nothing_is_refused(written):
    with pytest.raises(ValueError, match="Limit"):
        Limit(**written)
