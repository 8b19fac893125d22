"""The server-sent events of an MCP server: each holds one JSON-RPC message, and an id to go on from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

import orjson

from guard.errors import UpstreamError

FIELDS = frozenset({b"event", b"id", b"retry"})
_ID = re.compile(rb"[!-~]{1,512}")


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its `data` (empty where it only says how to go on), its `id`, and the milliseconds to wait for more."""

    data: bytes = b""
    id: bytes = b""
    retry: bytes = b""

    def encoded(self, message: object = None) -> bytes:
        """The event as it is sent on, with a message in the place of its data."""
        lines = [b"event: message"] if message is not None else []
        # Text could hide in what clients only send back; ids and delays that look like it are left out.
        lines += [b"id: " + self.id] if _ID.fullmatch(self.id) else []
        lines += [b"retry: " + self.retry] if self.retry.isdigit() else []
        lines.append(b"data: " + (b"" if message is None else orjson.dumps(message)))
        return b"\n".join(lines) + b"\n\n"


async def events(content: AsyncIterable[bytes], limit: int) -> AsyncIterator[Event | None]:
    """The events of a stream; None for a comment, which keeps the connection open.

    Events of another kind than `message` are left out: the older transport's `endpoint` would lead a client past Guard.
    Raises UpstreamError for an event of more than `limit` bytes.
    """
    fields: dict[bytes, bytes] = {}
    data: list[bytes] = []
    size = 0
    async for line in _lines(content, limit):
        size += len(line)
        if size > limit:
            raise UpstreamError(f"the MCP server sent an event of more than {limit:,} bytes; raise max_answer")
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if (fields or data) and fields.get(b"event", b"message") == b"message":
                yield Event(b"\n".join(data), fields.get(b"id", b""), fields.get(b"retry", b""))
            fields, data, size = {}, [], 0
        elif not name:
            size -= len(line)
            yield None
        elif name == b"data":
            data.append(value)
        elif name in FIELDS:
            fields[name] = value


async def _lines(content: AsyncIterable[bytes], limit: int) -> AsyncIterator[bytes]:
    """Lines without their ends, which may be \\n, \\r\\n or \\r. One that the stream breaks off in is none."""
    rest = bytearray()
    async for piece in content:
        rest += piece
        if len(rest) > limit:
            raise UpstreamError(f"the MCP server sent an event of more than {limit:,} bytes; raise max_answer")
        if b"\n" not in piece and b"\r" not in piece:
            continue
        # A carriage return at the end may be half of a line's end.
        held = rest.endswith(b"\r")
        lines = bytes(rest[:-1] if held else rest).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = bytearray(lines.pop() + (b"\r" if held else b""))
        for line in lines:
            yield line
