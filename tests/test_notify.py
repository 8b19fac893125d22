"""Webhooks: signed, retried, bounded."""

import asyncio
import hashlib
import hmac

import httpx
import pytest

from guard import notify
from guard.guard import Guard
from guard.notify import Notifier
from guard.stages import Subscription
from guard.store import Event, Masker
from tests.fakes import override, policy_of, spotting

HOOK = [Subscription(url="http://127.0.0.1:9/hook")]


def made():
    """What makes the event of a check that triggered."""
    makes = []

    class Keeps:
        def add(self, make, characters):
            makes.append(make)

    Guard(policy_of(spotting("rivals", "Acme"), input=[override("rivals")]), recorder=Keeps()).check("Acme?")
    return makes[0]


MAKE = made()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(notify, "PAUSE", 0.0)


async def delivered(statuses, *, secret="", times=1, characters=5, masker=Masker()):  # noqa: B008 - frozen
    """Deliver to a hook that answers with these statuses, the last one from then on; its requests and the counts."""
    requests = []

    def answer(request):
        requests.append(request)
        status = statuses[min(len(requests), len(statuses)) - 1]
        if status == 0:
            raise httpx.ConnectError("nobody there")
        return httpx.Response(status)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with Notifier(secret=secret, masker=masker, client=client) as notifier:
        for _ in range(times):
            notifier.tell(HOOK, MAKE, characters)
    return requests, notifier.counts


async def test_a_subscription_gets_the_event_as_json():
    requests, counts = await delivered([200])
    event = Event.from_json(requests[0].read())
    assert (event.status, event.ruleset, event.text) == ("triggered", "override", {"input": ["[RIVALS]?"]})
    assert counts.delivered == 1


async def test_text_that_events_do_not_keep_is_not_told_either():
    requests, _ = await delivered([200], masker=Masker(mode="none"))
    assert Event.from_json(requests[0].read()).text == {}


async def test_more_text_than_may_wait_is_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(notify, "WAITING_CHARACTERS", 10)
    _, counts = await delivered([200], times=3)
    assert (counts.delivered, counts.dropped) == (2, 1)


async def test_a_secret_signs_the_body():
    requests, _ = await delivered([200], secret="s")
    expected = hmac.new(b"s", requests[0].read(), hashlib.sha256).hexdigest()
    assert requests[0].headers["x-guard-signature"] == f"sha256={expected}"


async def test_a_hook_that_fails_is_tried_again():
    requests, counts = await delivered([0, 503, 200])
    assert (len(requests), counts.delivered, counts.failed) == (3, 1, 0)


async def test_a_hook_that_keeps_failing_is_counted_and_given_up():
    requests, counts = await delivered([500])
    assert (len(requests), counts.delivered, counts.failed) == (notify.TRIES, 0, 1)


async def test_more_than_can_wait_are_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(notify, "WAITING", 2)
    _, counts = await delivered([200], times=5)
    assert (counts.delivered, counts.dropped) == (2, 3)


async def test_a_body_that_cannot_be_made_does_not_stop_the_others():
    def broken(*, masker):
        raise ValueError("no event")

    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
    async with Notifier(client=client) as notifier:
        for _ in range(notify.TOGETHER + 1):
            notifier.tell(HOOK, broken, 0)
        notifier.tell(HOOK, MAKE, 0)
    assert (notifier.counts.delivered, notifier.counts.failed) == (1, notify.TOGETHER + 1)


async def test_a_hook_at_a_private_address_is_told_nothing_unless_that_is_allowed():
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        counts = []
        for private in (False, True):
            async with Notifier(private=private) as notifier:
                notifier.tell([Subscription(url=f"http://localhost:{port}/hook")], MAKE, 5)
            counts.append((notifier.counts.delivered, notifier.counts.failed, len(asked)))
    assert counts == [(0, 1, 0), (1, 0, 1)]
