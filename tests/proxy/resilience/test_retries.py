"""What is asked again, after how long, and how often at most."""

from random import Random

import pytest

from guard.errors import UpstreamAway, UpstreamError, UpstreamTimeout
from guard.proxy.resilience.retries import FEW, ONE_IN, Retries
from guard.settings import Settings


def retries(most=3, on=("connect", 429, 503), **more):
    return Retries(most, on, random=Random(1), **more)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("not reached", cause="connect"),
        UpstreamError("busy", said=429),
        UpstreamTimeout("no connection in time", cause="connect"),
    ],
)
def test_what_the_settings_name_is_tried_again(error):
    assert retries().wait(error, 0) is not None


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("broke off", cause="disconnect"),
        UpstreamTimeout("late", cause="timeout"),
        UpstreamError("no JSON"),
        UpstreamError("mistake", said=400),
        UpstreamError("our key", cause="key"),
        UpstreamAway("left alone", retry_after=1),
    ],
)
def test_what_they_do_not_name_is_not(error):
    assert retries().wait(error, 0) is None


def test_by_default_only_what_did_no_work_is_tried_again():
    on = Settings(upstream="demo").retry_on
    assert "connect" in on
    assert {500, 502, 504, "disconnect", "timeout"}.isdisjoint(on)


def test_there_are_no_more_than_so_many():
    few = retries(most=2)
    busy = UpstreamError("busy", said=503)
    assert [few.wait(busy, made) is None for made in range(4)] == [False, False, True, True]


def test_pauses_are_random_and_grow_up_to_the_longest():
    busy = UpstreamError("busy", said=503)
    ceilings = []
    for made in range(6):
        waits = []
        for seed in range(200):
            waits.append(Retries(10, (503,), pause=1.0, longest=5.0, random=Random(seed)).wait(busy, made))
        assert min(waits) < 0.2 * max(waits)
        ceilings.append(max(waits))
    assert [round(ceiling) for ceiling in ceilings] == [1, 2, 4, 5, 5, 5]


def test_what_the_provider_says_to_wait_is_waited_and_no_retry_made_where_it_is_too_long():
    assert retries().wait(UpstreamError("busy", said=429, retry_after=3.0), 0) == 3.0
    assert retries(longest=5.0).wait(UpstreamError("busy", said=429, retry_after=5.1), 0) is None


def test_a_provider_that_fails_every_call_is_not_asked_many_times_as_often():
    many = retries(most=10)
    busy = UpstreamError("busy", said=503)
    made = 0
    for _ in range(1_000):
        many.called()
        made += sum(many.wait(busy, number) is not None for number in range(10))
    assert made <= FEW + 1_000 / ONE_IN
