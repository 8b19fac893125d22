"""What of a message is read: all of its params, result or error but what only machines look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from guard.metrics import ToolCall
from guard.proxy.mcp.message import Message
from guard.proxy.mcp.methods import CALL
from guard.proxy.mcp.texts import read, rewrite

#: Read by machines only, as long as it looks like it.
OPAQUE = frozenset({"cursor", "nextCursor", "requestState", "taskId", "requestId", "progressToken", "level"})
#: What a client says of itself, which no model writes; and a tool's name, which is no text on the other routes either.
OF_CLIENT = frozenset({"clientInfo", "capabilities"})
_TOKEN = re.compile(r"[!-~]*")
_NAME = re.compile(r"[\w./-]{1,128}", re.ASCII)
_META = re.compile(r"io\.modelcontextprotocol/[\w/-]+|progressToken|traceparent|tracestate", re.ASCII)


def member(message: Message) -> str:
    """Where a message says what it says: `params`, `result` or `error`."""
    return "params" if "method" in message else "result" if "result" in message else "error"


def said(message: Message) -> dict[str, Any]:
    """What a server's message says."""
    content = message.get(member(message), {})
    return {name: value for name, value in content.items() if not _opaque(name, value)}


def with_said(message: Message, change: Callable[[str], str] | Mapping[str, str]) -> Message:
    """A server's message with each of its texts changed."""
    readable = said(message)
    kept = {name: value for name, value in message.get(member(message), {}).items() if name not in readable}
    return _with(message, {**rewrite(readable, change), **kept})


def calls(message: Message) -> tuple[ToolCall, ...]:
    """What leaves with a client's message: a tool's arguments as one JSON text, then each other text."""
    arguments, readable, _ = _sent(message)
    name = str(message.get("params", {}).get("name") or message.get("method", "result"))
    first = () if arguments is None else (ToolCall(name, orjson.dumps(arguments).decode()),)
    return (*first, *(ToolCall(name, text) for text in read(readable).texts))


def with_calls(message: Message, after: Sequence[ToolCall]) -> Message:
    """A client's message with what leaves with it changed. Raises JSONDecodeError where arguments are JSON no more."""
    before = calls(message)
    if tuple(after) == before:
        return message
    arguments, readable, kept = _sent(message)
    texts = zip(before, after, strict=True)
    if arguments is not None:
        old, new = next(texts)
        kept["arguments"] = arguments if new == old else orjson.loads(new.arguments)
    changed = rewrite(readable, {old.arguments: new.arguments for old, new in texts})
    if "_meta" in kept:
        kept["_meta"] = {**changed.get("_meta", {}), **kept["_meta"]}
    return _with(message, {**changed, **kept})


def _sent(message: Message) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Of a client's message a tool's arguments, what else is read, and what is kept as it is."""
    content = dict(message.get(member(message), {}))
    arguments = content.pop("arguments", None) if message.get("method") == CALL else None
    kept = {name: value for name, value in content.items() if _opaque(name, value) or _of_client(name, value, message)}
    readable = {name: value for name, value in content.items() if name not in kept}
    meta = readable.get("_meta")
    if isinstance(meta, dict):
        kept["_meta"] = {name: value for name, value in meta.items() if _META.fullmatch(name)}
        readable["_meta"] = {name: value for name, value in meta.items() if name not in kept["_meta"]}
    return arguments, readable, kept


def _opaque(name: str, value: object) -> bool:
    return name in OPAQUE and isinstance(value, (str, int)) and bool(_TOKEN.fullmatch(str(value)))


def _of_client(name: str, value: object, message: Message) -> bool:
    if message.get("method") == "initialize" and name in OF_CLIENT:
        return True
    return name == "name" and isinstance(value, str) and bool(_NAME.fullmatch(value))


def _with(message: Message, content: dict[str, Any]) -> Message:
    name = member(message)
    return {**message, name: content} if name in message else message
