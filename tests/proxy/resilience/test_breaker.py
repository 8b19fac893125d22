"""A provider that keeps failing is left alone, and found again."""

import pytest

from guard.errors import UpstreamAway
from guard.proxy.resilience.breaker import LONGEST, SECONDS, Breaker
from tests.fakes import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("there", failures=3, pause=5.0, clock=clock)


def calls(breaker, *failed):
    for one in failed:
        breaker.leave(breaker.enter(), one)


def test_it_opens_when_enough_calls_failed_and_tells_when_to_come_again(breaker, clock):
    calls(breaker, True, True)
    assert breaker.state == "closed"
    calls(breaker, True)
    assert breaker.state == "open"
    clock.now = 1.5
    with pytest.raises(UpstreamAway, match="there fails too often") as raised:
        breaker.enter()
    assert raised.value.retry_after == 4


def test_failures_among_many_more_successes_leave_it_closed(breaker):
    calls(breaker, *[False] * 4, True, True, True, *[False] * 20, True, True, True)
    assert breaker.state == "closed"


def test_failures_of_long_ago_do_not_count(breaker, clock):
    calls(breaker, True, True)
    clock.now = SECONDS
    calls(breaker, True)
    assert breaker.state == "closed"


def test_after_the_pause_one_call_is_the_trial_and_all_others_are_refused(breaker, clock):
    calls(breaker, True, True, True)
    clock.now = 5.0
    assert breaker.state == "half-open"
    trial = breaker.enter()
    assert trial
    assert breaker.state == "half-open"
    with pytest.raises(UpstreamAway):
        breaker.enter()
    breaker.leave(trial, False)
    assert breaker.state == "closed"
    assert not breaker.enter()


def test_a_trial_that_fails_doubles_the_pause_up_to_a_bound(breaker, clock):
    calls(breaker, True, True, True)
    pauses = []
    for _ in range(6):
        started = clock.now
        while breaker.state == "open":
            clock.now += 0.5
        pauses.append(clock.now - started)
        calls(breaker, True)
    assert pauses == [5, 10, 20, 40, LONGEST, LONGEST]


def test_a_trial_whose_caller_hung_up_leaves_the_next_call_to_try(breaker, clock):
    calls(breaker, True, True, True)
    clock.now = 5.0
    breaker.leave(breaker.enter(), None)
    assert breaker.enter()


def test_what_older_calls_come_to_neither_closes_nor_prolongs_it(breaker, clock):
    older = [breaker.enter(), breaker.enter()]
    calls(breaker, True, True, True)
    breaker.leave(older[0], False)
    assert breaker.state == "open"
    clock.now = 4.0
    breaker.leave(older[1], True)
    clock.now = 5.0
    assert breaker.state == "half-open"


def test_one_of_no_failures_never_opens(clock):
    breaker = Breaker("there", failures=0, pause=5.0, clock=clock)
    calls(breaker, *[True] * 100)
    assert breaker.state == "closed"
