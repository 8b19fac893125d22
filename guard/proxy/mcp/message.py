"""JSON-RPC 2.0, as MCP speaks it: requests, notifications and answers, one by one or in batches."""

from __future__ import annotations

import re
from typing import Any

from guard.errors import BadRequest, Busy, GuardError, TooLarge, UpstreamError

Message = dict[str, Any]

#: Of JSON-RPC.
INVALID_REQUEST, UNKNOWN_METHOD, INTERNAL_ERROR = -32600, -32601, -32603
#: Of MCP 2026-07-28: a header says something else than the body.
HEADER_MISMATCH = -32020
#: Guard's own, in the range that MCP leaves to implementations: the policy refused it.
BLOCKED = -32010

MEMBERS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
#: Schemas of tools nest twice for each level of theirs.
MAX_DEPTH = 64
_ID = re.compile(r"[!-~]{1,256}")
#: The first version without sessions, batches and requests of the server's.
STATELESS = "2026"


class UnknownMethod(BadRequest):
    """A method that Guard does not understand, and that no setting opens."""

    code = "unknown_method"
    json_rpc = UNKNOWN_METHOD


class HeaderMismatch(BadRequest):
    """A header that mirrors the body says something else."""

    json_rpc = HEADER_MISMATCH


def read_messages(body: object, limit: int) -> list[Message]:
    """The messages of a client's body, one or a batch. Raises BadRequest for what is no JSON-RPC, or TooLarge."""
    if isinstance(body, list):
        if not body:
            raise BadRequest("the batch is empty")
        if len(body) > limit:
            raise TooLarge(f"{len(body):,} messages are more than {limit:,}")
    messages: list[Any] = body if isinstance(body, list) else [body]
    ids: set[object] = set()
    for message in messages:
        if why := wrong(message):
            raise BadRequest(f"this is no JSON-RPC message of MCP: {why}")
        if unknown := message.keys() - MEMBERS:
            raise BadRequest(f"a JSON-RPC message has no member '{min(unknown)}'")
        if asks(message) and message["id"] in ids:
            raise BadRequest("two requests of the batch have the same id")
        ids.add(message.get("id"))
    return messages


def of_server(value: object) -> Message:
    """A server's message, without members that nobody knows. Raises UpstreamError for what is no JSON-RPC."""
    if isinstance(value, dict):
        value = {name: member for name, member in value.items() if name in MEMBERS}
    if why := wrong(value):
        raise UpstreamError(f"the MCP server's answer is no JSON-RPC message: {why}")
    return value  # type: ignore[return-value] - else it would have been wrong


def wrong(message: object) -> str:
    """What keeps a value from being a message of MCP; empty where nothing does."""
    if not isinstance(message, dict):
        return "it is no object"
    if message.get("jsonrpc") != "2.0":
        return "'jsonrpc' is not \"2.0\""
    if _too_deep(message):
        return f"it is nested more than {MAX_DEPTH} deep"
    if "id" in message and not _is_id(message["id"]) and not (message["id"] is None and "error" in message):
        return "'id' is neither a number nor a short string"
    if "method" in message:
        if not isinstance(message["method"], str) or not _ID.fullmatch(message["method"]):
            return "'method' is not the name of a method"
        if not isinstance(message.get("params", {}), dict):
            return "'params' is no object"
        return "it has a method and an answer" if "result" in message or "error" in message else ""
    if "id" not in message or ("result" in message) == ("error" in message):
        return "it has no method, and is no answer either"
    if "result" in message:
        return "" if isinstance(message["result"], dict) else "'result' is no object"
    return "" if _is_error(message["error"]) else "'error' has no code and message"


def asks(message: Message) -> bool:
    """Whether it is a request, which waits for an answer."""
    return "method" in message and "id" in message


def answers(message: Message) -> bool:
    """Whether it is the answer to a request."""
    return "method" not in message


def error(code: int, message: str, *, to: Message | None = None, data: dict[str, Any] | None = None) -> Message:
    """An error as the answer `to` a request, or to none."""
    said: dict[str, Any] = {"code": code, "message": message}
    if data:
        said["data"] = data
    return {"jsonrpc": "2.0", "id": to.get("id") if to else None, "error": said}


def error_of(problem: GuardError, *, to: Message | None = None) -> Message:
    """The same for an error of ours; `data.code` is the code that the other routes give."""
    known = isinstance(problem, (BadRequest, Busy, UpstreamError))
    code = getattr(problem, "json_rpc", INVALID_REQUEST if isinstance(problem, BadRequest) else INTERNAL_ERROR)
    return error(code, str(problem), to=to, data={"code": problem.code if known else "guard_error"})


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return bool(_ID.fullmatch(value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_error(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("code"), int) and isinstance(value.get("message"), str)


def _too_deep(message: Message) -> bool:
    level: list[object] = [message]
    for _ in range(MAX_DEPTH):
        below = [node.values() if isinstance(node, dict) else node for node in level]
        level = [child for children in below for child in children if isinstance(child, (dict, list))]  # type: ignore[union-attr]
        if not level:
            return False
    return True
