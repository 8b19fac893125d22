"""Counting, in a process and in Redis: the same claims on both."""

import uuid
from datetime import UTC, datetime

import pytest

from guard.proxy.limits.counter import Counter, Window
from guard.proxy.limits.local import LocalCounts
from guard.proxy.limits.shared import SharedCounts
from guard.redis import SharedRedis
from tests.redis_server import redis_server

#: The beginning of a minute, an hour and a day.
NOW = datetime(2026, 3, 5, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def url():
    with redis_server() as url:
        yield url


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.slow)])
async def counts(request):
    if request.param == "local":
        yield LocalCounts()
        return
    redis = SharedRedis(request.getfixturevalue("url"), timeout=5.0)
    yield SharedCounts(redis, longest=60.0)
    await redis.aclose()


def counter(kind="requests", limit=3, every="minute", name=None):
    return Counter(name or uuid.uuid4().hex, kind, limit, every)


async def take(counts, *counters, now=NOW, lease="a"):
    return await counts.take(counters, lease, now)


async def test_so_many_are_let_in_and_no_more(counts):
    one = counter()
    assert [await take(counts, one) for _ in range(4)] == [(None, [3]), (None, [2]), (None, [1]), (0, [0])]


async def test_of_the_minute_before_the_part_counts_that_is_less_than_a_minute_ago(counts):
    one = counter(limit=10)
    for _ in range(10):
        await take(counts, one)
    assert (await take(counts, one, now=NOW + 59))[0] == 0
    assert await take(counts, one, now=NOW + 60 + 30) == (None, [5])
    assert await take(counts, one, now=NOW + 180) == (None, [10])


async def test_a_day_is_the_calendars(counts):
    one = counter(every="day", limit=1)
    assert await take(counts, one, now=NOW + 86_399) == (None, [1])
    assert (await take(counts, one, now=NOW + 86_399))[0] == 0
    assert await take(counts, one, now=NOW + 86_400) == (None, [1])


async def test_where_one_counter_is_used_up_no_other_counts_the_request(counts):
    free, full = counter(limit=5), counter(limit=1)
    await take(counts, full)
    assert await take(counts, free, full) == (1, [5, 0])
    assert await take(counts, free) == (None, [5])


async def test_tokens_count_when_the_request_has_ended(counts):
    one = counter("tokens", limit=100)
    assert await take(counts, one) == (None, [100])
    await counts.give_back([one], "a", 130, NOW)
    assert await take(counts, one) == (0, [-30])


async def test_what_is_under_way_counts_until_it_ends_and_ends_once(counts):
    one = counter("concurrent", limit=2)
    await take(counts, one, lease="a")
    await take(counts, one, lease="b")
    assert await take(counts, one, lease="c") == (0, [0])
    await counts.give_back([one], "a", 0, NOW)
    await counts.give_back([one], "a", 0, NOW)
    assert await take(counts, one, lease="c") == (None, [1])


@pytest.mark.slow
async def test_what_a_killed_worker_had_under_way_is_given_back_in_the_end(url):
    redis = SharedRedis(url, timeout=5.0)
    shared, one = SharedCounts(redis, longest=60.0), counter("concurrent", limit=1)
    await take(shared, one)
    assert (await take(shared, one, now=NOW + 59))[0] == 0
    assert await take(shared, one, now=NOW + 61) == (None, [1])
    await redis.aclose()


async def test_users_without_end_do_not_fill_the_memory():
    counts = LocalCounts(most=100)
    for _ in range(1_000):
        await take(counts, counter())
    assert len(counts._used) == 100


@pytest.mark.parametrize(("every", "left"), [("minute", 60), ("hour", 3600), ("day", 86_400), ("month", 27 * 86_400)])
def test_a_window_ends_where_it_should(every, left):
    assert Window.of(every, NOW).left == left


def test_months_are_numbered_through_the_years():
    january = Window.of("month", datetime(2027, 1, 31, 23, tzinfo=UTC).timestamp())
    december = Window.of("month", datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    assert january.before == december.number
