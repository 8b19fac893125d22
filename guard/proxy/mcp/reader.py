"""What goes to an MCP server and what comes back, read by the policy's stages.

All that a client sends is read as `tool_call`, since it leaves the app; all that a server sends as `tool_result`, or as
`retrieval` where it was looked up. That goes for what nobody asked to see, too: descriptions of tools, the server's
instructions, its errors and its questions end up before a model just the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from guard.guard import Exchange
from guard.metrics import Side, Turn
from guard.metrics.turn import Message as Said
from guard.proxy.mcp.message import BLOCKED, Message, UnknownMethod, answers, asks, error, error_of
from guard.proxy.mcp.methods import ASKED, CALL, LISTS, SERVER_ASKS, SERVER_TELLS, TOLD
from guard.proxy.mcp.parts import calls, said, with_calls, with_said
from guard.proxy.mcp.texts import read

#: A list is read in groups of about so many characters and items, so that a long one fits into a stage's timeout.
GROUP_CHARACTERS, GROUP_ITEMS = 4_000, 20


@dataclass(slots=True)
class Reader:
    """One exchange with a server.

    `opened` are the methods that a setting opens beside those that are understood; `stateless` tells of the versions
    since 2026.
    """

    exchange: Exchange
    opened: frozenset[str] = frozenset()
    stateless: bool = False

    async def asked(self, message: Message) -> tuple[Message | None, Message | None]:
        """What to send to the server, or else what to answer the client instead."""
        if not answers(message) and message["method"] not in (*(ASKED if asks(message) else TOLD), *self.opened):
            return None, error_of(unknown(message), to=message)
        turn = Turn(tool_calls=calls(message), labels=self.exchange.labels)
        turn, refused = await self.exchange.check_each(turn, ("tool_call",))
        reply = refused.text if refused else None
        try:
            message = with_calls(message, turn.tool_calls)
        except orjson.JSONDecodeError:
            # What cannot be redacted must not be passed on.
            reply = self.exchange.policy.stage("tool_call").refusal
        if reply is not None and answers(message):  # the server waits for it
            return error(BLOCKED, reply, to=message), None
        if reply is not None:
            return None, self._refusal(message, reply)
        self.exchange.unread += read(message.get("params")).unread
        return message, None

    async def answered(self, message: Message, to: Message | None) -> Message:
        """A server's answer as the client may have it. `to` is what was asked, where that is known."""
        method = to["method"] if to else ""
        sides = self._sides(ASKED.get(method))
        result = dict(message.get("result", {}))
        listed = result.pop(LISTS.get(method, ""), None)
        if isinstance(listed, list):
            message = {**message, "result": result}
        tool = str(to.get("params", {}).get("name", "")) if to and method == CALL else ""
        clean, reply = await self._clean(message, sides, tool)
        if reply is not None:
            return self._refusal(to or message, reply)
        if isinstance(listed, list):
            clean["result"] = {**clean["result"], LISTS[method]: await self._kept(listed, sides)}
        self.exchange.unread += read(said(clean)).unread
        return clean

    async def told(self, message: Message) -> tuple[Message | None, str]:
        """A server's request or notification as the client may have it, or None and why not."""
        if message["method"] not in (*(SERVER_ASKS if asks(message) else SERVER_TELLS), *self.opened):
            return None, str(unknown(message))
        clean, reply = await self._clean(message, self._sides("tool_result"))
        if reply is not None:
            return None, reply
        self.exchange.unread += read(said(clean)).unread
        return clean, ""

    def _refusal(self, to: Message, reply: str) -> Message:
        """The policy's text as an answer: the result of a tool that failed, so that an agent can go on, or an error."""
        if to.get("method") != CALL or "id" not in to:
            return error(BLOCKED, reply, to=to, data={"code": "blocked"})
        result: dict[str, Any] = {"content": [{"type": "text", "text": reply}], "isError": True}
        if self.stateless:
            result["resultType"] = "complete"
        return {"jsonrpc": "2.0", "id": to["id"], "result": result}

    def _sides(self, side: Side | None) -> tuple[Side, ...]:
        """The sides on which an answer is read: both where it is not known what was asked.

        A policy without `retrieval` reads what was looked up as it reads what a tool found.
        """
        wanted: tuple[Side, ...] = (side,) if side else ("tool_result", "retrieval")
        return tuple(one for one in wanted if self.exchange.policy.has(one)) or ("tool_result",)

    async def _clean(self, message: Message, sides: Sequence[Side], tool: str = "") -> tuple[Message, str | None]:
        """A message, perhaps a tool's result, with what the policy redacts replaced, or its text where it refuses."""
        for side in sides:
            texts, unread = read(said(message))
            found = Turn((Said("tool", texts, tool),)) if side == "tool_result" else Turn(documents=texts)
            found = replace(found, labels=self.exchange.labels, unread=tuple(unread))
            turn, refused = await self.exchange.check_each(found, (side,))
            if refused is not None:
                return message, refused.text
            message = with_said(message, dict(zip(texts, turn.passages(side), strict=True)))
        return message, None

    async def _kept(self, items: list[Any], sides: Sequence[Side]) -> list[Any]:
        """The items of a list without those that the policy refuses."""
        kept: list[Any] = []
        for group in _groups(items):
            clean, reply = await self._clean(_as_message(group), sides)
            if reply is None:
                kept += clean["result"]["items"]
                continue
            alone = [one for one in group if (await self._clean(_as_message([one]), sides))[1] is None]
            # Where no item is refused alone, it is what they say together: then all of them go.
            kept += await self._kept(alone, sides) if len(alone) < len(group) else []
        return kept


def unknown(message: Message) -> UnknownMethod:
    """What is said of a method that Guard does not understand."""
    method = message["method"][:100]
    return UnknownMethod(f"Guard does not understand '{method}', so it is refused; open_methods: [{method}] lets it in")


def _as_message(items: list[Any]) -> Message:
    return {"result": {"items": items}}


def _groups(items: list[Any]) -> Iterator[list[Any]]:
    group: list[Any] = []
    size = 0
    for item in items:
        group.append(item)
        size += sum(map(len, read(item).texts))
        if size >= GROUP_CHARACTERS or len(group) == GROUP_ITEMS:
            yield group
            group, size = [], 0
    if group:
        yield group
