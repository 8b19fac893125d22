"""Guard before an MCP server that says what a test wants."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from guard.proxy.app import create_app
from guard.proxy.mcp.servers import McpServers
from guard.settings import Settings
from tests.fakes import ScriptedUpstream

POLICY = """
policy: test
metrics:
  rivals: {kind: keywords, words: [Acme, Globex]}
  order: {kind: regex, patterns: {order_number: 'ORD-[0-9]{8}'}}
  leak: {kind: regex, patterns: {key: 'KEY-[0-9]+'}}
  card: {kind: regex, patterns: {card: '4111[0-9]{12}'}}
stages:
  tool_call:
    rulesets:
      - name: no rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [We do not ask about others.]}
      - name: hide orders
        rules: [{metric: order, operator: not_empty}]
        action: {type: redact}
      - name: hide cards
        rules: [{metric: card, operator: not_empty}]
        action: {type: redact}
  tool_result:
    rulesets:
      - name: no rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [That speaks of others.]}
      - name: no keys
        rules: [{metric: leak, operator: not_empty}]
        action: {type: redact}
"""
RETRIEVAL = """  retrieval:
    rulesets:
      - name: no keys
        rules: [{metric: leak, operator: not_empty}]
        action: {type: override, choices: [That document is not for you.]}
"""


@dataclass
class Scripted:
    """An MCP server: `says` is what it answers next, and `heard` the requests that it got."""

    says: list[httpx.Response] = field(default_factory=list)
    heard: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(request)
        return self.says.pop(0) if self.says else httpx.Response(202)

    @property
    def bodies(self) -> list[Any]:
        """The JSON that was posted to it."""
        return [json.loads(request.content) for request in self.heard if request.content]


class Caller:
    """A client of Guard's route, and the server behind it."""

    def __init__(self, client: TestClient, server: Scripted) -> None:
        self.client, self.server = client, server

    def post(self, body: Any, *says: httpx.Response, **headers: str) -> Any:
        """What Guard answers to a body, when the server says this."""
        self.server.says = list(says)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/mcp/shop", json=body, headers=named)

    def ask(self, method: str, params: Any = None, result: Any = None, **headers: str) -> dict[str, Any]:
        """The message that answers a request, when the server gives this result."""
        says = [httpx.Response(200, json=answer(result))] if result is not None else []
        return self.post(request(method, params), *says, **headers).json()


def request(method: str, params: Any = None, number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}


def call(tool: str = "find", number: int = 1, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", {"name": tool, "arguments": arguments}, number)


def answer(result: Any, number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def text(*said: str, **more: Any) -> dict[str, Any]:
    """A tool's result."""
    return {"content": [{"type": "text", "text": one} for one in said], **more}


def stream(*events: Any) -> httpx.Response:
    """Messages as a server streams them; bytes go in as they are."""
    parts = [
        e if isinstance(e, bytes) else b"event: message\r\ndata: " + json.dumps(e).encode() + b"\r\n\r\n"
        for e in events
    ]
    return httpx.Response(200, content=b"".join(parts), headers={"content-type": "text/event-stream"})


def streamed(response: Any) -> list[dict[str, Any]]:
    """The messages that Guard streamed."""
    data = [line[6:] for line in response.text.splitlines() if line.startswith("data: ") and len(line) > 6]
    return [json.loads(one) for one in data]


@contextmanager
def before(folder: Path, policy: str = POLICY, **more: Any) -> Iterator[Caller]:
    """Guard with the server `shop` behind it, in process."""
    file = folder / "policy.yaml"
    file.write_text(policy)
    servers = {"shop": "http://shop.test/mcp"}
    settings = Settings(**{"policy": str(file), "upstream": "demo", "store": "none", "mcp": servers, **more})
    server = Scripted()
    reached = McpServers(settings, httpx.AsyncClient(transport=httpx.MockTransport(server)))
    app = create_app(settings, upstream=ScriptedUpstream(), servers=reached)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Caller(client, server)


@pytest.fixture
def shop(tmp_path):
    """Guard before the server, under a policy and settings of the test's own."""
    with ExitStack() as stack:
        yield lambda *policy, **more: stack.enter_context(before(tmp_path, *policy, **more))


@pytest.fixture(scope="module")
def _mcp(tmp_path_factory):
    with before(tmp_path_factory.mktemp("shop")) as caller:
        yield caller


@pytest.fixture
def mcp(_mcp):
    """Guard before the server, under the policy above."""
    _mcp.server.heard.clear()
    _mcp.server.says.clear()
    return _mcp
