"""What a provider's failure is told as: it decides whether asking again is safe."""

import socket
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from guard.errors import UpstreamError, UpstreamTimeout
from guard.proxy.upstream import HttpUpstream, UpstreamRefused, seconds_of
from tests.redis_server import free_port


@contextmanager
def answering(*content, hold=False):
    """The URL of a server that sends these bytes to whoever asks and hangs up, or holds the line."""
    server = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(65536)
            for piece in content:
                connection.sendall(piece)
            held.append(connection) if hold else connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    finally:
        server.close()


async def failed(url, **more):
    """What a call there raises."""
    upstream = HttpUpstream(url, **{"connect": 2.0, "read": 2.0, "connections": 1, **more})
    try:
        with pytest.raises(UpstreamError) as raised:
            await upstream.get("models", {})
        return raised.value
    finally:
        await upstream.aclose()


async def test_where_nothing_listens_nothing_was_sent():
    assert (await failed(f"http://127.0.0.1:{free_port()}/v1")).cause == "connect"


async def test_a_name_that_nobody_knows_is_not_connected_to():
    assert (await failed("http://nobody.invalid/v1")).cause == "connect"


async def test_a_provider_that_hangs_up_unanswered_broke_off():
    with answering() as url:
        assert (await failed(url)).cause == "disconnect"


async def test_one_that_hangs_up_in_the_middle_of_its_answer_broke_off():
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{") as url:
        assert (await failed(url)).cause == "disconnect"


async def test_one_that_takes_the_request_and_is_silent_is_late():
    with answering(hold=True) as url:
        error = await failed(url, read=0.05)
    assert isinstance(error, UpstreamTimeout)
    assert error.cause == "timeout"


async def test_one_that_is_busy_says_so_and_for_how_long_with_or_without_json():
    for body in (b'{"error": {}}', b"<html>"):
        head = b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: %d\r\n\r\n" % len(body)
        with answering(head, body) as url:
            error = await failed(url)
        assert (error.said, error.retry_after, error.cause) == (503, 7.0, "")


async def test_one_that_refuses_guards_own_key_says_nothing_of_the_request():
    with answering(b"HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\n{}") as url:
        error = await failed(url, key="ours")
    assert (error.cause, error.said) == ("key", None)


async def test_a_header_that_is_shown_has_the_bytes_that_the_provider_sent():
    with answering(b"HTTP/1.1 400 No\r\nx-request-id: caf\xe9 \xc3\xa9\r\ncontent-length: 2\r\n\r\n{}") as url:
        error = await failed(url)
    assert isinstance(error, UpstreamRefused)
    assert error.headers["x-request-id"].encode("latin-1") == b"caf\xe9 \xc3\xa9"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_seconds_to_wait_are_read_in_every_form(headers, seconds):
    assert seconds_of(headers) == seconds


def test_a_date_to_wait_for_is_seconds_from_now():
    seconds = seconds_of({"retry-after": formatdate(time.time() + 10, usegmt=True)})
    assert seconds is not None
    assert 8 < seconds <= 10
