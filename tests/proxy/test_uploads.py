"""A request that comes by drops, over a real socket: it holds up nobody, and comes to its end in time or not at all."""

import json
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from tests.proxy.conftest import ask

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
LENGTH = len(BODY)


class Sender:
    """A connection on which a request is sent as slowly as a test wants."""

    def __init__(self, url, *headers, path="/v1/chat/completions", length=LENGTH):
        host = urlsplit(url)
        self.socket = socket.create_connection((host.hostname, host.port), timeout=60)
        said = () if "transfer-encoding: chunked" in headers else (f"content-length: {length}",)
        lines = (f"POST {path} HTTP/1.1", f"host: {host.netloc}", *said, *headers)
        self.socket.sendall("\r\n".join((*lines, "", "")).encode())

    def send(self, content):
        self.socket.sendall(content)

    def answer(self):
        """All that comes until the server ends the connection, or until the body that it announces is there."""
        content = b""
        while piece := self.socket.recv(65536):
            content += piece
            head, _, body = content.partition(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if length and len(body) >= int(length[0].split(b":")[1]):
                break
        head, _, body = content.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.lower().decode(), json.loads(body)

    def close(self):
        self.socket.close()


@pytest.fixture
def send():
    """Opens senders, which are closed in the end."""
    opened = []

    def make(*args, **more):
        opened.append(Sender(*args, **more))
        return opened[-1]

    yield make
    for sender in opened:
        sender.close()


def until(url, **load):
    """Wait until that is what the worker has taken on."""
    end = time.monotonic() + 60
    while not load.items() <= httpx.get(f"{url}/readyz").json()["load"].items():
        assert time.monotonic() < end, load


def test_one_that_is_still_sent_holds_no_place_and_is_answered_when_it_is_whole(served, send):
    url = served(max_requests=1, queue=0)
    slow = send(url)
    slow.send(BODY[:1])
    until(url, uploads=1, requests=0)
    with httpx.Client(base_url=url) as others:
        assert ask(others, "hello").status_code == 200
    for place in range(1, len(BODY)):
        slow.send(BODY[place : place + 1])
    assert slow.answer()[0] == 200
    until(url, uploads=0, requests=0)


@pytest.mark.parametrize("begun", [b"", BODY[:9]])
def test_one_that_does_not_come_in_time_is_told_so_and_its_connection_ends(served, send, begun):
    url = served(body_timeout=0.1)
    slow = send(url)
    slow.send(begun)
    status, head, body = slow.answer()
    assert (status, body["error"]["code"]) == (408, "request_timeout")
    assert "connection: close" in head
    assert slow.socket.recv(1) == b""
    until(url, uploads=0)


def test_who_gives_up_sending_leaves_no_trace(served, send):
    url = served()
    slow = send(url)
    slow.send(BODY[:9])
    until(url, uploads=1)
    slow.close()
    until(url, uploads=0)


def test_so_many_are_waited_for_and_what_comes_in_one_piece_is_not_among_them(served, send):
    url = served(max_requests=1, queue=0)
    send(url).send(BODY[:9])
    until(url, uploads=1)
    second = send(url)
    second.send(BODY[:9])
    status, head, body = second.answer()
    assert (status, body["error"]["code"]) == (503, "overloaded")
    assert "retry-after: 1" in head
    with httpx.Client(base_url=url) as others:
        assert ask(others, "hello").status_code == 200
        assert others.get("/readyz").json()["refused"] == {"uploads": 1}


def test_who_has_no_key_is_told_before_anything_of_the_body_is_taken(served, send, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "a-key-of-the-shop")
    url = served(apps={"shop": ["env:SHOP_KEY"]})
    assert send(url).answer()[0] == 401
    assert send(url, "authorization: Bearer another").answer()[0] == 401


def test_one_larger_than_may_be_is_refused_by_what_it_says_and_by_what_it_sends(served, send):
    url = served(max_body=1_000)
    assert send(url, length=1_001).answer()[2]["error"]["code"] == "request_too_large"
    endless = send(url, "transfer-encoding: chunked")
    endless.send(b"258\r\n" + b" " * 600 + b"\r\n")
    until(url, uploads=1)
    endless.send(b"258\r\n" + b" " * 600 + b"\r\n")
    assert endless.answer()[0] == 413
    until(url, uploads=0)
