"""The official MCP client before `guard serve` before an MCP server: three processes, both eras of the protocol."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from guard.proxy.app import create_app
from guard.settings import Settings
from guard.store import open_store
from tests.proxy.conftest import running
from tests.proxy.mcp.conftest import POLICY, RETRIEVAL, call
from tests.test_serve import serving

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SORRY = "We do not ask about others."


@contextmanager
def shop(*options):
    """The URL of an MCP server in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(HERE / "server.py"), str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        until = time.monotonic() + 40
        while True:
            try:
                httpx.get(url)
                break
            except httpx.HTTPError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module", params=["stream", "json"])
def guarded(request, tmp_path_factory):
    """The URL of Guard's route before the server, which answers with streams or with JSON; and the events' store."""
    folder = tmp_path_factory.mktemp("mcp")
    with shop(request.param) as url:
        (folder / "guard.yaml").write_text(f"mcp: {{shop: '{url}'}}\n")
        with serving(folder, "--store", f"sqlite:///{folder}/events.db", policy=POLICY + RETRIEVAL) as (_, guard):
            yield f"{guard}/v1/mcp/shop", f"sqlite:///{folder}/events.db"


@pytest.fixture(params=["auto", "legacy"])
def connect(request, guarded):
    """A client of the newest version, or of the last one with sessions."""
    from mcp import Client

    return lambda **more: Client(guarded[0], mode=request.param, **more)


async def test_what_is_fine_goes_through(connect):
    async with connect() as client:
        assert client.instructions == "Ask for orders by number."
        result = await client.call_tool("web", {"page": "good"})
        assert result.content[0].text == "A fine day."
        assert result.structured_content == {"result": "A fine day."}
        assert [str(one.uri) for one in (await client.list_resources()).resources] == ["shop://terms", "shop://fine"]
        assert (await client.read_resource("shop://fine")).contents[0].text == "All is well."
        prompt = await client.get_prompt("review", {"text": "this"})
        assert prompt.messages[0].content.text == "Please review: this"


async def test_a_poisoned_tool_is_not_listed_and_the_others_are(connect):
    async with connect() as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo", "heard", "order", "web", "greet"]


async def test_arguments_and_results_are_redacted_on_their_ways(connect):
    async with connect() as client:
        said = await client.call_tool("echo", {"text": "about ORD-12345678"})
        # Numbers follow from the session where there is one.
        assert re.fullmatch(r"You said: about \[ORDER_NUMBER_\d+\]", said.structured_content["result"])
        heard = await client.call_tool("heard", {})
        assert "12345678" not in json.dumps(heard.structured_content)
        order = await client.call_tool("order", {"number": "1"})
        assert re.fullmatch(r"\[KEY_\d+\] opens the door", order.structured_content["note"])
        assert json.loads(order.content[0].text) == order.structured_content


async def test_a_refusal_is_a_failed_result_that_an_agent_can_read(connect):
    async with connect() as client:
        asked = await client.call_tool("echo", {"text": "Is Acme better?"})
        assert (asked.is_error, asked.content[0].text) == (True, SORRY)
        answered = await client.call_tool("web", {"page": "bad"})
        assert (answered.is_error, answered.content[0].text) == (True, "That speaks of others.")
        heard = await client.call_tool("heard", {})
        assert "Acme" not in json.dumps(heard.structured_content)


async def test_a_refused_resource_is_an_error_with_the_policys_text(connect):
    from mcp import MCPError

    async with connect() as client:
        with pytest.raises(MCPError, match="That document is not for you"):
            await client.read_resource("shop://terms")


@pytest.mark.parametrize("guarded", ["stream"], indirect=True)
async def test_questions_to_the_user_are_read_both_ways(guarded):
    from mcp import Client, MCPError
    from mcp.types import ElicitResult

    asked = []

    async def answer(context, question):
        asked.append(question.message)
        return ElicitResult(action="accept", content={"name": "Bob" if question.message == "Who?" else "Globex"})

    async with Client(guarded[0], mode="legacy", elicitation_callback=answer) as client:
        assert (await client.call_tool("greet", {"question": "Who?"})).content[0].text == "Hello Bob"
        with pytest.raises(MCPError, match=SORRY):
            await client.call_tool("greet", {"question": "And who else?"})
    assert asked == ["Who?", "And who else?"]


async def test_events_tell_of_calls_and_results(guarded, connect):
    async with connect() as client:
        await client.call_tool("web", {"page": "bad"})
    store = await open_store(guarded[1])
    try:
        until = time.monotonic() + 15
        told: set[tuple[str, str]] = set()
        while not {("tool_call", "not_triggered"), ("tool_result", "triggered")} <= told:
            assert time.monotonic() < until
            told = {(event.kind, event.status) for event in await store.newest()}
            await asyncio.sleep(0.05)
    finally:
        await store.close()


class Endless:
    """A server that streams for ever, and counts the streams that are open."""

    def __init__(self):
        self.open = 0
        self.app = Starlette(routes=[Route("/mcp", self.answer, methods=["GET", "POST"])])

    async def answer(self, request):
        async def stream():
            self.open += 1
            try:
                while True:
                    yield b": still here\n\n"
                    await asyncio.sleep(0.01)
            finally:
                self.open -= 1

        return StreamingResponse(stream(), media_type="text/event-stream")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_server_is_hung_up_on_when_the_client_hangs_up(tmp_path, method):
    endless = Endless()
    with ExitStack() as stack:
        url = stack.enter_context(running(endless.app))
        settings = Settings(upstream="demo", store="none", mcp={"shop": f"{url}/mcp"}, policy=_file(tmp_path))
        guard = stack.enter_context(running(create_app(settings)))
        body = {"json": call()} if method == "POST" else {}
        for _ in range(5):
            with httpx.stream(method, f"{guard}/v1/mcp/shop", **body) as response:
                pieces = response.iter_bytes()  # which ends the stream when it is let go
                next(pieces)
                assert endless.open == 1
            until = time.monotonic() + 10
            while endless.open:
                assert time.monotonic() < until
                time.sleep(0.02)


def _file(folder):
    (folder / "policy.yaml").write_text(POLICY)
    return str(folder / "policy.yaml")
