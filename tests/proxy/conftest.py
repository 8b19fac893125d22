"""Servers for the proxy's tests: Guard before an upstream that says what a test wants."""

import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from guard.proxy.app import create_app
from guard.settings import Settings
from tests.fakes import ScriptedUpstream

POLICY = """
policy: test
metrics:
  rivals: {kind: keywords, words: [Acme, Globex]}
  order: {kind: regex, patterns: {order_number: 'ORD-[0-9]{8}'}}
  leak: {kind: regex, patterns: {key: 'KEY-[0-9]+'}}
stages:
  input:
    rulesets:
      - name: no rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [We only speak of ourselves.]}
      - name: hide orders
        rules: [{metric: order, operator: not_empty}]
        action: {type: redact, restore: true}
  output:
    rulesets:
      - name: no rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [I only speak of our own products.]}
      - name: no keys
        rules: [{metric: leak, operator: not_empty}]
        action: {type: redact}
"""


@pytest.fixture
def settings(tmp_path):
    """Settings for a policy's text, with nothing of the machine's own environment."""

    def make(policy=POLICY, **more):
        file = tmp_path / "policy.yaml"
        file.write_text(policy)
        return Settings(**{"policy": str(file), "upstream": "demo", "store": "none", **more})

    return make


@pytest.fixture
def client(settings):
    """A client of the proxy, in process. Server errors are answers here, as they are to real clients."""
    open_clients = []

    def make(upstream=None, **more):
        app = create_app(settings(**more), upstream=upstream or ScriptedUpstream())
        opened = TestClient(app, raise_server_exceptions=False)
        opened.__enter__()
        open_clients.append(opened)
        return opened

    yield make
    for opened in open_clients:
        opened.__exit__(None, None, None)


@contextmanager
def running(app):
    """The base URL of an app that is served for real, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < until
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def served(settings):
    """Guard served for real before an upstream; the base URL without /v1."""
    stack = []

    def start(upstream=None, **more):
        context = running(create_app(settings(**more), upstream=upstream))
        stack.append(context)
        return context.__enter__()

    yield start
    for context in reversed(stack):
        context.__exit__(None, None, None)


def ask(client: httpx.Client, *texts, **more):
    """Post a chat completion with these user messages."""
    messages = [{"role": "user", "content": text} for text in texts]
    return client.post("/v1/chat/completions", json={"model": "m", "messages": messages, **more})
