"""A server's stream of events, however it is cut up."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import UpstreamError
from guard.proxy.mcp.events import Event, events

CONTENT = (
    b": hi\r\n\r\nid: 1\ndata:\n\nevent: message\rdata: one\rdata: two\r\rretry: 5\r\n"
    b"data:  x\n\nevent: ping\ndata: no\n\ndata: cut"
)
EVENTS = [None, Event(b"", b"1"), Event(b"one\ntwo"), Event(b" x", b"", b"5")]


async def read(pieces, limit=1000):
    async def content():
        for piece in pieces:
            yield piece

    return [event async for event in events(content(), limit)]


@given(st.lists(st.integers(0, len(CONTENT)), max_size=20))
async def test_the_events_are_the_same_wherever_the_stream_is_cut(cuts):
    places = [0, *sorted(cuts), len(CONTENT)]
    assert await read([CONTENT[a:b] for a, b in pairwise(places)]) == EVENTS


@pytest.mark.parametrize("content", [b"data: " + b"x" * 2000, b"data: x\n" * 500, b"x" * 2000])
async def test_an_event_without_an_end_is_refused(content):
    with pytest.raises(UpstreamError):
        await read([content[n : n + 100] for n in range(0, len(content), 100)])


async def test_comments_without_end_are_no_event():
    assert await read([b": open\n"] * 1000) == [None] * 1000


def test_text_cannot_hide_in_an_id_or_a_delay():
    assert Event(b"", b"two words", b"5 words").encoded() == b"data: \n\n"
    assert Event(b"x", b"7", b"5").encoded({"a": 1}) == b'event: message\nid: 7\nretry: 5\ndata: {"a":1}\n\n'
