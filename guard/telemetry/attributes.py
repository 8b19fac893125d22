"""What stands on the spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from guard.guard import ASKED, Exchange
from guard.stages import Redact
from guard.store.mask import Masker
from guard.store.recorded import to_hide
from guard.verdict import Verdict

#: The conventions' names of operations by the path that the provider is asked at.
OPERATIONS = {
    "chat/completions": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}
#: Numbers of a request by the conventions' name.
ASKED_FOR = {
    "gen_ai.request.temperature": ("temperature",),
    "gen_ai.request.top_p": ("top_p",),
    "gen_ai.request.max_tokens": ("max_completion_tokens", "max_output_tokens", "max_tokens"),
    "gen_ai.request.frequency_penalty": ("frequency_penalty",),
    "gen_ai.request.presence_penalty": ("presence_penalty",),
    "gen_ai.request.seed": ("seed",),
}


def stage_attributes(exchange: Exchange, verdict: Verdict) -> dict[str, Any]:
    """What a stage decided, in names of the policy's: nothing of the text."""
    decision = verdict.decision
    attributes = {
        "guard.stage": decision.stage.kind,
        "guard.policy": verdict.policy.name,
        "guard.policy.revision": verdict.policy.revision,
        "guard.status": str(decision.status),
        "guard.action": decision.action.type,
        "guard.allowed": verdict.allowed,
        "guard.millis": verdict.millis,
        "guard.event": verdict.event,
        "guard.request": exchange.request,
    }
    if decision.ruleset is not None:
        attributes["guard.ruleset"] = decision.ruleset.name
    return attributes


def call_attributes(provider: str, path: str, model: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider is asked for, in the conventions' names."""
    operation = OPERATIONS.get(path, path.replace("/", "_"))
    kind, _, of_litellm = provider.partition("/")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": of_litellm or ("anthropic" if path == "messages" else "openai"),
    }
    if model:
        attributes["gen_ai.request.model"] = model
    for name, fields in ASKED_FOR.items():
        value = next((body[field] for field in fields if isinstance(body.get(field), (int, float))), None)
        if value is not None:
            attributes[name] = value
    if body.get("n", 1) != 1 and isinstance(body["n"], int):
        attributes["gen_ai.request.choice.count"] = body["n"]
    if kind != "litellm":
        host, _, port = kind.partition(":")
        attributes["server.address"] = host
        if port.isdigit():
            attributes["server.port"] = int(port)
    return attributes


def asked(verdict: Verdict) -> bool:
    """Whether the verdict is on a side of the request."""
    return verdict.decision.stage.kind in ASKED


def messages(verdict: Verdict, masker: Masker) -> str:
    """The conversation as it goes on, or what the model said, as JSON in the conventions' shape."""
    turn, kind = verdict.turn, verdict.decision.stage.kind
    # What was redacted stands no more where it was found.
    spans = () if isinstance(verdict.decision.action, Redact) else to_hide(verdict.decision, kind)
    kept = masker.passages(turn.passages(kind), spans)
    said: list[tuple[str, list[dict[str, str]]]] = []
    if kind == "output":
        said += [("assistant", [_text(text)]) for text in kept]
    elif kind == "tool_call":
        made = zip(turn.tool_calls, kept, strict=True)
        said.append(("assistant", [{"type": "tool_call", "name": call.name, "arguments": text} for call, text in made]))
    else:
        here = turn.messages_of(kind)
        # What stands there beside messages comes first: definitions of tools, which the conventions have no place for.
        texts = iter(kept[len(kept) - sum(len(one.parts) for one in here) :])
        roles = {one.role for one in here}
        for one in turn.messages:
            parts = [next(texts) if one.role in roles else masker.passages((part,), ())[0] for part in one.parts]
            said.append((one.role, list(map(_text, parts))))
    return orjson.dumps([{"role": role, "parts": parts} for role, parts in said]).decode()


def _text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}
