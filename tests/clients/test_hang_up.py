"""Callers that go away, and providers that are slow or dead: nothing is left running, open or unanswered."""

import asyncio
import socket
import time

import httpx
import pytest

from guard.proxy.app import create_app
from guard.settings import Settings
from guard.store import open_store
from tests.clients.provider import Provider
from tests.proxy.conftest import POLICY, running

pytestmark = pytest.mark.slow

URL = "/chat/completions"


def body(content, **more):
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


def until(true, seconds=10.0):
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_the_provider_is_hung_up_on_when_the_caller_hangs_up_mid_stream(guarded, provider):
    with httpx.Client(base_url=guarded) as client:
        for _ in range(5):
            with client.stream("POST", URL, json=body("never stop", stream=True)) as response:
                heard = response.iter_bytes()  # kept: one that is let go ends the call
                next(heard)
                assert provider.streaming == 1
            assert until(lambda: provider.streaming == 0)


def test_a_caller_that_hangs_up_while_waiting_ends_the_call(guarded, provider):
    with httpx.Client(base_url=guarded, timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
        client.post(URL, json=body("be slow"))
    assert until(lambda: provider.abandoned == 1)


def test_many_hang_ups_leave_no_task_behind(guarded, provider):
    async def hang_up():
        forever = body("never stop", stream=True)
        async with httpx.AsyncClient(base_url=guarded) as client, client.stream("POST", URL, json=forever) as response:
            async for _ in response.aiter_bytes():
                return

    async def many():
        await asyncio.gather(*(hang_up() for _ in range(40)))

    asyncio.run(many())
    assert until(lambda: provider.streaming == 0)
    assert httpx.get(guarded.removesuffix("/v1") + "/healthz").status_code == 200


@pytest.fixture
def before(tmp_path):
    """Guard before some base URL, with short time-outs."""
    stack = []

    def start(upstream, **more):
        policy = tmp_path / "policy.yaml"
        policy.write_text(POLICY)
        settings = Settings(policy=str(policy), upstream=upstream, **{"store": "none", "read_timeout": 0.5, **more})
        context = running(create_app(settings))
        stack.append(context)
        return context.__enter__() + "/v1"

    yield start
    for context in stack:
        context.__exit__(None, None, None)


def test_a_provider_that_is_not_there_is_a_502(before):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    response = httpx.post(before(f"http://127.0.0.1:{port}/v1") + URL, json=body("hello"))
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_is_too_slow_is_a_504(before, stream):
    with running(Provider().app) as upstream:
        response = httpx.post(before(f"{upstream}/v1") + URL, json=body("be slow", stream=stream))
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "upstream_timeout"


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_of_guards_that_is_refused_is_guards_fault_and_stays_unseen(before, monkeypatch, stream):
    monkeypatch.setenv("PROVIDER_KEY", "sk-provider")
    with running(Provider().app) as upstream:
        url = before(f"{upstream}/v1", upstream_key_env="PROVIDER_KEY")
        response = httpx.post(url + URL, json=body("refuse the key", stream=stream))
    assert response.status_code == 502
    assert "upstream_key_env" in response.text
    assert "sk-" not in response.text


def raw_provider(answer):
    """A server that reads a request and writes these bytes, whatever they are, then closes."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return talk


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<ht>",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nxxxx",
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_speaks_garbage_is_a_502_and_no_stack_trace(before, answer, stream):
    server = await asyncio.start_server(raw_provider(answer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = await asyncio.to_thread(before, f"http://127.0.0.1:{port}/v1")
        async with httpx.AsyncClient() as client:
            response = await client.post(url + URL, json=body("hello", stream=stream))
    assert response.status_code == 502, response.text
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


async def test_what_a_caller_was_shown_before_hanging_up_is_recorded(before, tmp_path):
    store_url = f"sqlite:///{tmp_path}/events.db"
    with running(Provider().app) as upstream:
        url = await asyncio.to_thread(before, f"{upstream}/v1", store=store_url)
        async with (
            httpx.AsyncClient() as client,
            client.stream("POST", url + URL, json=body("never stop", stream=True)) as response,
        ):
            event = response.headers["x-guard-event"]
            async for _ in response.aiter_bytes():
                break
        store = await open_store(store_url)
        stages: list[str] = []
        try:
            for _ in range(100):
                found = await store.get(event)
                stages = [one.stage for one in await store.of_request(found.request)] if found else []
                if stages == ["input", "output"]:
                    break
                await asyncio.sleep(0.05)
        finally:
            await store.close()
    assert stages == ["input", "output"]
