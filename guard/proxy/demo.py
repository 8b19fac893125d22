"""The small built-in upstream: a model that answers from a list, whole and streamed, without a network or a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from functools import cache
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

from ruamel.yaml import YAML

from guard.errors import BadRequest
from guard.metrics.turn import read_message
from guard.proxy import demo_messages

ANSWERS = Path(__file__).with_name("demo.yaml")
MODEL = "demo"
#: Where it may be asked.
PATHS = frozenset({"chat/completions", "messages", "messages/count_tokens"})
#: Seconds between two words of a stream: fast, but visibly a stream.
PAUSE = 0.01


class DemoUpstream:
    """Answers a chat by the words of its last message; see demo.yaml. For trying Guard out, and for its own tests."""

    def __init__(self, *, pause: float = PAUSE) -> None:
        self._pause = pause

    async def complete(self, path: str, body: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        """The whole answer."""
        _known(path)
        text = answer(body)
        if path == "messages/count_tokens":
            return {"input_tokens": _usage(body, text)["prompt_tokens"]}
        if path == "messages":
            return demo_messages.message(body["model"], text, _usage(body, text))
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            **_head("chat.completion", body),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": _usage(body, text),
        }

    async def stream(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str]
    ) -> AsyncGenerator[dict[str, Any]]:
        """The answer word by word."""
        _known(path)
        text = answer(body)
        words = [f" {word}" if number else word for number, word in enumerate(text.split(" "))]
        if path == "messages":
            for event in demo_messages.events(body["model"], words, _usage(body, text)):
                if event["type"] == "content_block_delta":
                    await asyncio.sleep(self._pause)
                yield event
            return
        head = _head("chat.completion.chunk", body)
        delta: dict[str, Any] = {"role": "assistant", "content": ""}
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for word in words:
            await asyncio.sleep(self._pause)
            delta = {"content": word}
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        if (body.get("stream_options") or {}).get("include_usage"):
            yield {**head, "choices": [], "usage": _usage(body, text)}

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """The list of models, which has one."""
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "guard"}]}

    async def aclose(self) -> None:
        """Nothing is held open."""


def _known(path: str) -> None:
    if path not in PATHS:
        raise BadRequest(f"the demo model is not asked at /{path}; use /v1/chat/completions or /v1/messages")


def answer(body: Mapping[str, Any]) -> str:
    """The first answer in the list one of whose words stands in the last message."""
    said = " ".join(read_message(body["messages"][-1]).parts)
    for entry in _answers():
        if any(word in said.lower() for word in entry["words"]):
            return entry["answer"].replace("{said}", said).strip()
    return _answers()[-1]["answer"].replace("{said}", said).strip()


@cache
def _answers() -> list[dict[str, Any]]:
    return YAML(typ="safe").load(ANSWERS)


def _head(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": f"chatcmpl-demo-{uuid4().hex[:12]}", "object": kind, "created": int(time()), "model": body["model"]}


def _usage(body: Mapping[str, Any], text: str) -> dict[str, int]:
    asked = sum(len(part.split()) for message in body["messages"] for part in read_message(message).parts)
    said = len(text.split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
