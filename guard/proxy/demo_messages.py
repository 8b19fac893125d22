"""What the demo upstream says in Anthropic's protocol, whole and as events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4


def message(model: str, text: str, usage: Mapping[str, int]) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": f"msg_demo_{uuid4().hex[:12]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]},
    }


def events(model: str, pieces: Iterable[str], usage: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """The same answer piece by piece."""
    whole = message(model, "", usage)
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for piece in pieces:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": usage["completion_tokens"]}}
    yield {"type": "message_stop"}
