"""One request's way to a provider: asked again where that is safe, never after something was passed on."""

import asyncio
from random import Random
from typing import Any

import pytest

from guard.errors import BadRequest, UpstreamAway, UpstreamError, UpstreamTimeout
from guard.proxy.resilience import Target
from guard.proxy.resilience.breaker import Breaker
from guard.proxy.resilience.retries import Retries
from tests.fakes import Clock

PATH, BODY = "chat/completions", {"model": "m"}
BUSY = UpstreamError("busy", said=503)
GONE = UpstreamError("broke off", cause="disconnect")


class Moody:
    """A provider that does what its script says, call by call: raises, or answers; streams may raise between events."""

    def __init__(self, *script):
        self.script, self.calls, self.closed = list(script), 0, 0

    def _next(self) -> Any:
        self.calls += 1
        return self.script.pop(0)

    async def complete(self, path, body, headers) -> Any:
        said = self._next()
        if isinstance(said, BaseException):
            raise said
        return said if isinstance(said, dict) else await said()

    async def get(self, path, headers):
        return await self.complete(path, {}, headers)

    async def stream(self, path, body, headers):
        try:
            for event in self._next():
                if isinstance(event, BaseException):
                    raise event
                yield event if isinstance(event, dict) else await event()
        finally:
            self.closed += 1


class There:
    """A target on a clock of its own, whose pauses take no time but the clock's."""

    def __init__(self, *script, failures=100, most=2, deadline=100.0):
        self.clock, self.pauses = Clock(), []
        self.upstream = Moody(*script)
        self.breaker = Breaker("there", failures=failures, pause=5.0, clock=self.clock)
        retries = Retries(most, (503, "disconnect"), random=Random(1))
        target = Target("there", self.upstream, self.breaker, retries, clock=self.clock, sleep=self.sleep)
        self.asked = target.until(deadline)

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        self.clock.now += seconds

    async def complete(self):
        return await self.asked.complete(PATH, BODY, {})

    async def stream(self):
        return [event async for event in self.asked.stream(PATH, BODY, {})]

    def passing(self, seconds) -> Any:
        async def say():
            self.clock.now += seconds
            return {"n": seconds}

        return say


async def test_a_call_is_made_again_until_it_is_answered():
    there = There(BUSY, BUSY, {"n": 1})
    assert await there.complete() == {"n": 1}
    assert there.upstream.calls == 3
    assert len(there.pauses) == 2


async def test_the_last_error_is_raised_and_says_how_often_was_asked_again():
    there = There(BUSY, BUSY, UpstreamError("still busy", said=503))
    with pytest.raises(UpstreamError, match="still busy") as raised:
        await there.complete()
    assert raised.value.retries == 2


async def test_a_stream_that_broke_before_its_first_event_is_asked_for_again():
    there = There([GONE], [{"n": 1}, {"n": 2}])
    assert await there.stream() == [{"n": 1}, {"n": 2}]
    assert there.upstream.closed == 2


async def test_a_stream_of_which_one_event_was_passed_on_is_never_asked_for_again():
    there = There([{"n": 1}, GONE], [{"n": 1}])
    got = []
    with pytest.raises(UpstreamError, match="broke off"):
        async for event in there.asked.stream(PATH, BODY, {}):
            got.append(event)
    assert got == [{"n": 1}]
    assert there.upstream.calls == 1


async def test_no_retry_is_made_that_would_end_after_the_deadline():
    there = There(UpstreamError("busy", said=503, retry_after=4.0), {"n": 1}, deadline=4.0)
    with pytest.raises(UpstreamError, match="busy"):
        await there.complete()
    assert there.pauses == []


async def test_an_attempt_is_given_up_at_the_deadline():
    there = There(lambda: asyncio.sleep(60), deadline=0.01)
    with pytest.raises(UpstreamTimeout, match="raise deadline"):
        await there.complete()


async def test_a_stream_ends_at_the_deadline_which_is_no_failure_of_the_provider():
    there = There([], failures=1, deadline=10.0)
    there.upstream.script = [[there.passing(6), there.passing(6), there.passing(6)]]
    got = []
    with pytest.raises(UpstreamTimeout):
        async for event in there.asked.stream(PATH, BODY, {}):
            got.append(event)
    assert len(got) == 1
    assert there.upstream.closed == 1
    assert there.breaker.state == "closed"


async def test_a_breaker_that_opens_ends_the_retries():
    there = There(BUSY, BUSY, {"n": 1}, failures=2)
    with pytest.raises(UpstreamAway):
        await there.complete()
    assert there.upstream.calls == 2


async def test_streams_that_break_midway_open_the_breaker():
    there = There(*[[{"n": 1}, GONE]] * 3, failures=3)
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await there.stream()
    assert there.breaker.state == "open"


@pytest.mark.parametrize("error", [UpstreamError("no", said=404), UpstreamError("too large"), BadRequest("no")])
async def test_errors_that_one_request_brings_about_do_not_close_the_door_to_others(error):
    there = There(*[error] * 50, failures=1)
    for _ in range(50):
        with pytest.raises(type(error)):
            await there.complete()
    assert there.breaker.state == "closed"


async def test_a_caller_that_hangs_up_tells_nothing_of_the_provider():
    there = There(lambda: asyncio.sleep(60), failures=1)
    call = asyncio.create_task(there.complete())
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert there.breaker.state == "closed"


async def test_lists_are_asked_for_again_too():
    there = There(BUSY, {"data": []})
    assert await there.asked.get("models", {}) == {"data": []}
