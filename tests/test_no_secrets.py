"""No secret that Guard is given stands in what it writes: logs, answers, figures, events, records of central's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.central.process import Command, eventually
from tests.proxy.conftest import POLICY, running
from tests.proxy.conftest import ask as post

pytestmark = pytest.mark.slow

#: What stands for a secret can be searched for in anything; the lengths are those that settings ask for.
SECRETS = {
    name: f"zq{name}-{'7f3a9c' * 6}"
    for name in (
        "provider", "fallback", "anthropic", "mcp", "app", "webhook", "redact", "verdict", "metrics", "redispw",
        "stranger", "caller",
    )
}  # fmt: skip


class Provider:
    """A provider that tells in its refusals what it was sent, key and all, as some do."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST"])]
        self.app = Starlette(routes=routes)

    async def _answer(self, request: Request) -> Response:
        sent = request.headers.get("authorization", "") or request.headers.get("x-api-key", "")
        self.keys.add(sent.removeprefix("Bearer "))
        body = (await request.body()).decode()
        if request.url.path.startswith("/hook"):
            return Response(status_code=500)
        if "garbage" in body:
            return Response(f"{sent} is no JSON", headers={"content-type": "application/json", "x-told": sent})
        if "refuse" in body:
            error = {"message": f"Incorrect API key provided: {sent}", "type": "auth", "code": "invalid_api_key"}
            return JSONResponse({"error": error}, 401, {"x-told": sent, "www-authenticate": f"Bearer {sent}"})
        if "fail" in body:
            return JSONResponse({"error": {"message": f"failed for {sent}"}}, 500)
        message = {"role": "assistant", "content": "The capital is Paris."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]})


def test_no_secret_stands_in_what_a_proxy_writes_or_answers(tmp_path: Path) -> None:
    provider = Provider()
    with running(provider.app) as upstream:
        policy = POLICY.replace(
            "choices: [We only speak of ourselves.]",
            f"choices: [We only speak of ourselves.], subscriptions: [{{url: '{upstream}/hook'}}]",
        )
        with proxy(tmp_path, policy, upstream) as (url, log):
            heard = [str(answer.headers) + answer.text for answer in asked(url)]
            eventually(lambda: (tmp_path / "guard.db").exists() and b"not_triggered" in everything(tmp_path))
    asked_with = {SECRETS[name] for name in ("provider", "anthropic", "fallback", "mcp")}
    assert asked_with <= provider.keys, "each key was used"
    assert "a webhook could not be delivered" in log.read_text(), "the log says what went wrong"
    leaks(SECRETS, tmp_path, "\n".join(heard))


def asked(url: str) -> Iterator[httpx.Response]:
    """Answers to all kinds of requests, good and bad."""
    key = {"authorization": f"Bearer {SECRETS['app']}"}
    with httpx.Client(base_url=url, headers=key, timeout=60) as app:
        for words in ("hello", "Acme?", "refuse", "fail", "garbage"):
            yield post(app, words)
            yield post(app, words, stream=True)
            body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": words}]}
            yield app.post("/v1/messages", json=body)
        rpc = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"x": "refuse"}}
        yield app.post("/v1/mcp/tools", json=rpc, headers={"accept": "application/json, text/event-stream"})
        yield app.post("/v1/guard/check", json={"input": "hello"})
        yield app.post("/v1/chat/completions", content=b"{no json")
        yield app.get("/v1/nowhere")
        yield app.get("/readyz")
        yield app.get("/metrics")
        yield app.get("/metrics", headers={"authorization": f"Bearer {SECRETS['metrics']}"})
    for wrong in ({"authorization": f"Bearer {SECRETS['stranger']}"}, {"x-api-key": SECRETS["stranger"]}, {}):
        yield httpx.post(f"{url}/v1/chat/completions", json={"model": "m"}, headers=wrong)


@contextmanager
def proxy(folder: Path, policy: str, upstream: str) -> Iterator[tuple[str, Path]]:
    """`guard serve` with every secret that it takes, told to log all it can: its URL and its log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "policy.yaml").write_text(policy)
    given = {
        "GUARD_POLICY": "policy.yaml", "GUARD_PORT": str(port), "GUARD_LOG_LEVEL": "debug",
        "GUARD_UPSTREAM": f"{upstream}/v1", "GUARD_UPSTREAM_KEY_ENV": "PROVIDER_KEY",
        "GUARD_ANTHROPIC_UPSTREAM": f"{upstream}/v1", "GUARD_ANTHROPIC_KEY_ENV": "ANTHROPIC_KEY",
        "GUARD_FALLBACKS": f'[{{"upstream": "{upstream}/other", "upstream_key_env": "FALLBACK_KEY", "name": "other"}}]',
        "GUARD_MCP": f'{{"tools": {{"url": "{upstream}/mcp", "key_env": "MCP_KEY"}}}}',
        "GUARD_APPS": '{"shop": ["env:APP_KEY"]}', "GUARD_RETRY_WAIT": "0.01",
        "GUARD_WEBHOOK_SECRET": SECRETS["webhook"], "GUARD_WEBHOOK_PRIVATE": "true",
        "GUARD_REDACT_KEY": SECRETS["redact"], "GUARD_VERDICT_SECRET": SECRETS["verdict"],
        "GUARD_METRICS_TOKEN": SECRETS["metrics"], "GUARD_REDIS": f"redis://:{SECRETS['redispw']}@127.0.0.1:1/0",
        "PROVIDER_KEY": SECRETS["provider"], "ANTHROPIC_KEY": SECRETS["anthropic"],
        "FALLBACK_KEY": SECRETS["fallback"], "MCP_KEY": SECRETS["mcp"], "APP_KEY": SECRETS["app"],
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    environment |= {"PYTHONPATH": str(Path.cwd()), **given}
    log = folder / "serve.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "guard", "serve"]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: process.poll() is not None or _answers(url), 60)
        assert process.poll() is None, log.read_text()
        yield url, log
        process.send_signal(signal.SIGTERM)
        process.wait(40)
    finally:
        process.kill()
        process.wait()


def test_no_secret_stands_in_what_central_writes_or_answers(tmp_path: Path) -> None:
    secrets = {"webhook": SECRETS["webhook"], "stranger": SECRETS["stranger"]}
    command = Command(
        tmp_path, log_level="debug", events=f"sqlite:///{tmp_path}/events.db", webhook_secret=secrets["webhook"]
    )
    secrets["admin"], _ = command.init()
    private = serialization.load_pem_private_key((tmp_path / "central.pem").read_bytes(), None)
    raw = private.private_bytes_raw()  # type: ignore[union-attr]
    secrets |= {"signing": b64encode(raw).decode(), "signing hex": raw.hex()}
    heard: list[str] = []
    with command.serving(), httpx.Client(base_url=command.url, timeout=60) as http:

        def tell(method: str, path: str, key: str, **body: Any) -> dict[str, Any]:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            headers |= {"idempotency-key": f"request {len(heard)}"} if body else {}
            answer = http.request(method, path, headers=headers, **({"json": body} if body else {}))
            content = answer.json()
            for shown in ("key", "access_token"):  # shown here once, and nowhere else
                if isinstance(content, dict) and content.get(shown):
                    secrets[f"{path} {len(secrets)}"] = content[shown]
                    heard.append(answer.text.replace(content[shown], ""))
                    return content
            heard.append(str(answer.headers) + answer.text)
            return content

        api, admin = "/api/v1", secrets["admin"]
        tell("POST", f"{api}/projects", admin, name="shop")
        tell("POST", f"{api}/projects/shop/apps", admin, name="web")
        app = tell("POST", f"{api}/projects/shop/keys", admin, name="web", role="app", app="web")
        tell("POST", f"{api}/projects/shop/keys", admin, name="web", role="app", app="web")
        tell("POST", f"{api}/projects/shop/keys/{app['id']}/rotate", admin, grace=60)
        rulesets = [{"name": "long", "rules": [{"metric": "word_count", "operator": "gt", "target_value": 3}]}]
        tell("POST", f"{api}/projects/shop/stages", admin, name="front", document={"rulesets": rulesets})
        tell("POST", f"{api}/projects/shop/stages/front/check", app["key"], input="one two three four five")
        token = tell("POST", "/login/api_key", "", api_key=admin)["access_token"]
        for key in (token, token[:-2], admin[:-2], secrets["stranger"], app["key"]):
            tell("GET", "/current_user", key)
            tell("GET", f"{api}/projects", key)
            tell("POST", f"{api}/keys", key, name="x", role="nothing")
            tell("POST", "/protect/invoke", key, project_name="shop", stage_name="front", payload={"input": "hello"})
            tell("POST", "/v1-beta/firewall-instance", key, config={})
        for wrong in ({"api_key": [admin]}, {"api_key": admin, "more": 1}, {"api_key": secrets["stranger"]}):
            tell("POST", "/login/api_key", "", **wrong)
        http.post("/login/api_key", content=f'{{"api_key": "{admin}'.encode())
        for path in ("/keys", "/projects/shop/keys", "/audit", "/fleet", "/projects/shop/events"):
            tell("GET", api + path, admin)
    assert len(secrets) >= 9, "keys and tokens were made"
    leaks(secrets, tmp_path, "\n".join(heard), but={"central.pem"})


def leaks(secrets: dict[str, str], folder: Path, heard: str, but: frozenset[str] | set[str] = frozenset()) -> None:
    """Fail where a secret stands in a file of the folder, or in what was answered."""
    content = everything(folder, but) + heard.encode()
    assert len(content) > 10_000, "there is something to search in"
    found = [name for name, secret in secrets.items() if secret.encode() in content]
    where = [
        (name, file.name)
        for name in found
        for file in files(folder, but)
        if secrets[name].encode() in file.read_bytes()
    ]
    assert not found, (where, [name for name in found if secrets[name] in heard])


def everything(folder: Path, but: frozenset[str] | set[str] = frozenset()) -> bytes:
    return b"".join(file.read_bytes() for file in files(folder, but))


def files(folder: Path, but: frozenset[str] | set[str] = frozenset()) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name not in but]


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").is_success
    except httpx.HTTPError:
        return False
