"""The texts of a request in Anthropic's Messages, each with who says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from guard.metrics.turn import MODEL_ROLES, TRUSTED_ROLES, unread_kind
from guard.proxy.wire.blocks import Given, is_call, is_result, texts
from guard.proxy.wire.leaves import Body
from guard.proxy.wire.wire import Place

#: Blocks of what was retrieved.
DOCUMENTS = frozenset({"document", "search_result"})
#: Sources of a block that hold text.
READ = frozenset({"text", "content"})


class Slot(NamedTuple):
    """A text of a request: the number of its message, who speaks there, what it is, and the tool that it is from.

    `tool` is empty where it is from none, or the request does not hold its call.
    """

    message: int
    role: str
    kind: Literal["said", "document", "given"]
    place: Place
    tool: str = ""


def slots(body: Body) -> Iterator[Slot]:
    """Each text of a request in its order, the system prompt's first."""
    called: dict[str, str] = {}
    if body.get("system") is not None:
        yield from _content(body, "system", -1, "system", called)
    for number, message in enumerate(body["messages"]):
        yield from _content(message, "content", number, message["role"], called)


def _content(holder: Body, key: str, message: int, role: str, called: dict[str, str]) -> Iterator[Slot]:
    """The texts of a message; `called` are the names of the tools that were called so far, by the calls' ids."""
    if isinstance(holder[key], str):
        yield Slot(message, role, "said", Place((), holder, key))
        return
    trusted = role in MODEL_ROLES | TRUSTED_ROLES
    for block in holder[key]:
        speaker = "tool" if is_result(block) and not trusted else role
        document = block["type"] in DOCUMENTS and not trusted
        if is_call(block) and isinstance(block.get("id"), str):
            called[block["id"]] = str(block.get("name") or "")
        tool = called.get(str(block.get("tool_use_id")), "") if speaker == "tool" else ""
        for path, at, name in texts(block):
            if isinstance(at[name], str):
                yield Slot(message, speaker, "document" if document else "said", Place(path, at, name), tool)
            else:
                yield Slot(message, speaker, "given" if role in MODEL_ROLES else "said", Given(path, at, name), tool)


def role_of(message: Body) -> str:
    """Whose turn a message is; a user's that brings what tools gave goes on with the turn that called them."""
    content, role = message["content"], message["role"]
    return "tool" if isinstance(content, list) and role not in MODEL_ROLES and any(map(is_result, content)) else role


def unread(node: Any) -> Iterator[str]:
    """The kind of each block below whose source is not text, or that names a file."""
    if isinstance(node, dict):
        source = node.get("source")
        if node.get("type") == "container_upload" or (isinstance(source, dict) and source.get("type") not in READ):
            yield unread_kind(node.get("type"))
        node = list(node.values())
    for child in node if isinstance(node, list) else ():
        yield from unread(child)
