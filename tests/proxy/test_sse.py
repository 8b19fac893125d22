"""Server-sent events, whatever the borders of the bytes they arrive in."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import UpstreamError
from guard.proxy import sse


async def pieces(*parts):
    for part in parts:
        yield part


async def read(*parts, limit=1000):
    return [chunk async for chunk in sse.chunks(pieces(*parts), limit)]


@given(st.lists(st.text(max_size=20), max_size=5), st.lists(st.integers(1, 200), max_size=10), st.booleans())
async def test_events_are_the_same_wherever_the_bytes_are_cut(texts, cuts, crlf):
    objects = [{"text": text} for text in texts]
    stream = b": hello\n\n" + b"".join(map(sse.event, objects)) + sse.DONE + b"data: {}\n\n"
    stream = stream.replace(b"\n\n", b"\r\n\r\n") if crlf else stream
    borders = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    parts = [stream[start:end] for start, end in pairwise(borders)]
    assert await read(*parts) == objects


async def test_a_line_separator_inside_a_json_string_does_not_cut_the_event():
    raw = 'data: {"text": "a\u2028b\u0085c"}\n\n'.encode()
    assert await read(raw) == [{"text": "a\u2028b\u0085c"}]


async def test_a_stream_that_ends_without_done_gives_its_last_event():
    assert await read(b'data: {"a": 1}') == [{"a": 1}]


@pytest.mark.parametrize("raw", [b"data: hello\n\n", b"data: [1]\n\n", b'data: {"a"'])
async def test_an_event_that_is_no_json_object_is_the_upstreams_error(raw):
    with pytest.raises(UpstreamError):
        await read(raw)


async def test_an_endless_event_is_cut_off_at_the_limit():
    with pytest.raises(UpstreamError, match="more than 1,000 bytes"):
        await read(b"data: " + b"x" * 600, b"x" * 600)


def test_what_is_written_can_be_read_again():
    assert orjson.loads(sse.event({"a": "ü"})[6:]) == {"a": "ü"}
