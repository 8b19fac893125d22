"""Server-sent events, as chat streams use them: `data:` lines with JSON, ended by `[DONE]`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import orjson

from guard.errors import UpstreamError

DONE = b"data: [DONE]\n\n"


def event(chunk: object, *, name: str = "") -> bytes:
    """One event, with its name where the protocol has them."""
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + orjson.dumps(chunk) + b"\n\n"


def comment(text: str) -> bytes:
    """A line that clients skip."""
    return b": " + text.encode("ascii", "replace") + b"\n\n"


async def chunks(content: AsyncIterable[bytes], limit: int) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of a stream, up to `[DONE]` or its end.

    Split at newline bytes only: readers that split text at Unicode's line ends cut events apart at U+2028 inside JSON.
    Raises UpstreamError for an event that is longer than `limit` bytes or no JSON object, and where there is none.
    """
    rest, some = bytearray(), False
    async for piece in content:
        rest += piece
        if len(rest) > limit:
            raise UpstreamError(f"the provider sent an event of more than {limit:,} bytes")
        # Split only where a line ends: an event that comes in many pieces is not copied for each of them.
        if b"\n" not in piece:
            continue
        *lines, rest = rest.split(b"\n")
        for line in lines:
            data = _data(line)
            if data == b"[DONE]":
                return
            if data:
                some = True
                yield _parsed(data)
    data = _data(rest)
    if data and data != b"[DONE]":
        yield _parsed(data)
    elif not some:
        raise UpstreamError("the provider's answer is no stream of events")


def _data(line: bytearray) -> bytes:
    return bytes(line[5:].strip()) if line.startswith(b"data:") else b""


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UpstreamError("the provider's stream holds something that is not JSON") from None
    if not isinstance(chunk, dict):
        raise UpstreamError("the provider's stream holds JSON that is no object")
    return chunk
