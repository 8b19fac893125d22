"""Providers through the real litellm, against a server on loopback that speaks OpenAI's API, well or badly."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from guard.errors import UpstreamError, UpstreamTimeout
from guard.metrics import Failure, Measurement, Score, Turn
from guard.metrics.judge import Judge
from guard.providers import Provider

pytestmark = pytest.mark.slow

BODY = {"messages": [{"role": "user", "content": "hello"}]}
ERRORS = {"broken": 500, "busy": 429, "refusing": 401, "unknown": 404, "strict": 400}
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


class OpenAi:
    """What each model does is in its name; an answer is `says`."""

    def __init__(self) -> None:
        self.says = '{"value": 0.75, "reason": "rude"}'
        self.requests: list[tuple[Mapping[str, str], dict[str, Any]]] = []
        self.hung_up = threading.Event()
        self.base = ""

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append((request.headers, body))
        name = body["model"]
        if name in ERRORS:
            return JSONResponse({"error": {"message": f"I am {name}"}}, ERRORS[name])
        if name == "slow":
            await asyncio.sleep(3)
        if name == "html":
            return PlainTextResponse("<html>maintenance</html>")
        if body.get("stream"):
            return StreamingResponse(self._chunks(endless=name == "endless"), media_type="text/event-stream")
        message = {"role": "assistant", "content": self.says}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return JSONResponse({"id": "c", "object": "chat.completion", "created": 1, "model": name, "choices": [choice]})

    async def _chunks(self, endless: bool) -> AsyncIterator[str]:
        try:
            number = 0
            while endless or number < 3:
                choice = {"index": 0, "delta": {"content": f"{number} "}, "finish_reason": None}
                yield f"data: {json.dumps({**CHUNK, 'choices': [choice]})}\n\n"
                number += 1
                await asyncio.sleep(0.01)
            end = {"index": 0, "delta": {}, "finish_reason": "stop"}
            yield f"data: {json.dumps({**CHUNK, 'choices': [end]})}\n\ndata: [DONE]\n\n"
        finally:
            self.hung_up.set()


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAi]:
    fake = OpenAi()
    listening = socket.create_server(("127.0.0.1", 0))
    fake.base = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    app = Starlette(routes=[Route("/v1/chat/completions", fake.answer, methods=["POST"])])
    running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield fake
    running.should_exit = True
    thread.join(5)
    listening.close()


def provider(server: OpenAi, name: str = "judge", **fields: Any) -> Provider:
    return Provider(f"openai/{name}", **{"api_base": server.base, "api_key": "sk-test", "timeout": 20, **fields})


async def test_a_whole_answer_comes_in_openais_shape(server: OpenAi) -> None:
    answer = await provider(server).completion({**BODY, "temperature": 0})
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == server.says
    headers, body = server.requests[-1]
    assert headers["authorization"] == "Bearer sk-test"
    assert body == {**BODY, "temperature": 0, "model": "judge"}


async def test_a_body_cannot_set_litellms_own_arguments(server: OpenAi) -> None:
    smuggled = {
        "api_base": "http://127.0.0.1:9/elsewhere",
        "api_key": "sk-other",
        "mock_response": "all is well",
        "fallbacks": ["openai/other"],
        "model": "other",
        "stream": True,
        "top_k": 5,
    }
    answer = await provider(server).completion({**BODY, **smuggled})
    assert answer["choices"][0]["message"]["content"] == server.says
    headers, body = server.requests[-1]
    assert headers["authorization"] == "Bearer sk-test"
    assert body["model"] == "judge"
    assert body["top_k"] == 5


async def test_a_stream_comes_in_openais_chunks(server: OpenAi) -> None:
    chunks = [chunk async for chunk in provider(server).stream({**BODY, "stream": True})]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "0 1 2 "
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_closing_a_stream_hangs_up_on_the_provider(server: OpenAi) -> None:
    server.hung_up.clear()
    chunks = provider(server, "endless").stream(BODY)
    assert (await anext(chunks))["choices"]
    await chunks.aclose()
    assert await asyncio.to_thread(server.hung_up.wait, 5)


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("broken", 502, "I am broken"),
        ("busy", 429, "I am busy"),
        ("refusing", 502, "the key was refused$"),  # its own words would show parts of the key
        ("unknown", 404, "I am unknown"),
        ("strict", 400, "I am strict"),
    ],
)
async def test_an_error_of_the_provider_is_ours_and_nothing_is_retried(
    server: OpenAi, name: str, status: int, said: str
) -> None:
    before = len(server.requests)
    with pytest.raises(UpstreamError, match=f"openai/{name} gave no answer.*{said}") as error:
        await provider(server, name).completion(BODY)
    assert error.value.status == status
    with pytest.raises(UpstreamError, match=said):
        await anext(provider(server, name).stream(BODY))
    assert len(server.requests) == before + 2


async def test_a_provider_that_speaks_garbage_is_an_error(server: OpenAi) -> None:
    with pytest.raises(UpstreamError):
        await provider(server, "html").completion(BODY)


async def test_a_late_provider_is_a_timeout_whole_and_streamed(server: OpenAi) -> None:
    with pytest.raises(UpstreamTimeout, match=r"openai/slow did not answer within 0\.3 s"):
        await provider(server, "slow", timeout=0.3).completion(BODY)
    with pytest.raises(UpstreamTimeout):
        await anext(provider(server, "slow", timeout=0.3).stream(BODY))


async def test_nobody_at_the_address_is_an_error(server: OpenAi) -> None:
    with pytest.raises(UpstreamError, match="gave no answer"):
        await provider(server, api_base="http://127.0.0.1:9/v1").completion(BODY)


@pytest.mark.parametrize(
    ("model", "variable"),
    [("openai/gpt-5-mini", "OPENAI_API_KEY"), ("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY")],
)
async def test_a_missing_key_is_named(model: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UpstreamError, match=f"set {variable} in the environment"):
        await Provider(model, timeout=5).completion(BODY)


def test_a_model_of_no_provider_is_found_before_it_is_asked() -> None:
    with pytest.raises(UpstreamError, match="LLM Provider NOT provided"):
        Provider("gibberish").check()
    Provider("openai/gpt-5-mini").check()


async def test_what_a_model_does_not_support_is_left_out_only_when_wanted(server: OpenAi) -> None:
    with pytest.raises(UpstreamError, match="temperature"):
        await provider(server, "gpt-5-mini").completion({**BODY, "temperature": 0})
    await provider(server, "gpt-5-mini", drop_params=True).completion({**BODY, "temperature": 0})
    assert "temperature" not in server.requests[-1][1]


def test_without_litellm_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['litellm'] = None\n"
        "from guard.providers import Provider\n"
        "try: Provider('openai/m').check()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UpstreamError ")
    assert "pip install 'stageguard[providers]'" in done.stdout


def test_nothing_but_the_address_is_called_nor_anything_printed(server: OpenAi, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-from-a-file\n")
    program = f"""
import asyncio, os, sys
calls = []
sys.addaudithook(lambda event, args: calls.append((event, args[-1] if event == "socket.connect" else args[0]))
                 if event in ("socket.connect", "socket.getaddrinfo") else None)
from guard.providers import Provider
provider = Provider("openai/judge", {server.base!r}, "k", 20)
async def main():
    await provider.completion({BODY!r})
    [chunk async for chunk in provider.stream({BODY!r})]
    for model in ("openai/broken", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash"):
        try: await Provider(model, {server.base!r}, "k", 20).completion({BODY!r})
        except Exception: pass
asyncio.run(main())
assert any(event == "socket.connect" for event, _ in calls)
print([call for call in calls if "127.0.0.1" not in str(call)], os.environ.get("OPENAI_API_KEY"))
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert (done.stdout.strip(), done.stderr) == ("[] None", "")


async def judged(server: OpenAi, name: str = "judge", says: str = "", **fields: Any) -> Measurement:
    server.says = says or server.says
    judge = Judge(model=f"openai/{name}", prompt="Is it rude? {text}", api_base=server.base, **fields)
    metric = judge.make("rude", Path())
    assert metric.warm_up
    metric.warm_up()
    measured = metric.measure(Turn.of("you fool"), "input")
    assert asyncio.iscoroutine(measured)
    return await measured


async def test_a_judge_reads_its_verdict_through_litellm(server: OpenAi) -> None:
    assert await judged(server, says='{"value": 0.75, "reason": "rude"}') == Score(
        0.75, reason="rude", model="openai/judge"
    )
    headers, body = server.requests[-1]
    assert headers["authorization"] == "Bearer none"
    assert body["response_format"] == {"type": "json_object"}
    assert "you fool" in body["messages"][1]["content"]


async def test_a_judge_that_gets_garbage_errors_or_nothing_in_time_fails(server: OpenAi) -> None:
    for name in ("broken", "html", "refusing"):
        assert isinstance(await judged(server, name), Failure)
    assert isinstance(await judged(server, says="I cannot judge that."), Failure)
    late = await judged(server, "slow", timeout="200ms")
    assert isinstance(late, Failure)
    assert late.timed_out
