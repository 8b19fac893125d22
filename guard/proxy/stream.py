"""A streamed answer, held back until it was read: chunks in, the same chunks out, later or edited or cut off."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from guard.errors import UpstreamError
from guard.guard import Exchange, Verdict
from guard.metrics import ToolCall, Turn
from guard.proxy import chat
from guard.proxy.leaves import Path, arguments, texts
from guard.stream import HoldBack


@dataclass(slots=True)
class Piece:
    """A part of a chunk's delta that is text: characters start to end, exclusive, of one held-back text."""

    text: HoldBack
    index: int
    choice: chat.Body
    holder: Any
    key: str | int
    start: int
    end: int

    @property
    def ready(self) -> bool:
        """Whether it was read, so that it may leave."""
        return self.text.released_to >= self.end

    def write(self) -> None:
        """Put what may leave into the chunk."""
        edited = self.text.edited(self.start, self.end)
        if edited != self.holder[self.key]:
            # The tokens' log probabilities spell the original out.
            self.choice.pop("logprobs", None)
            self.holder[self.key] = edited


@dataclass(slots=True)
class Held:
    """A chunk that waits for its texts to be read, or for the tool calls in it to be complete."""

    chunk: chat.Body
    pieces: list[Piece] = field(default_factory=list)
    calls: bool = False


class Calls:
    """The tool calls of a stream, put together from their pieces: nobody can use, or judge, half a call."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[int, int], list[tuple[chat.Body, str]]] = {}

    def add(self, index: int, delta: chat.Body) -> bool:
        """Keep what the delta has of tool calls; whether it had any."""
        pieces = list(arguments(delta))
        for number, holder, key in pieces:
            if not isinstance(holder.get(key), (str, NoneType)):
                raise UpstreamError("the provider's stream is no chat completion: a tool call's arguments are no text")
            self._pieces.setdefault((index, number), []).append((holder, key))
        return bool(pieces)

    def whole(self) -> tuple[ToolCall, ...]:
        """The calls, complete."""
        return tuple(
            ToolCall(
                "".join(str(holder.get("name") or "") for holder, _ in pieces),
                "".join(str(holder.get(key) or "") for holder, key in pieces),
            )
            for pieces in self._pieces.values()
        )

    def write(self, calls: tuple[ToolCall, ...]) -> None:
        """Put changed arguments into the chunks: all of them into the first piece, nothing into the others."""
        for pieces, before, after in zip(self._pieces.values(), self.whole(), calls, strict=True):
            if after.arguments != before.arguments:
                for number, (holder, key) in enumerate(pieces):
                    holder[key] = after.arguments if number == 0 else ""


class Stream:
    """One answer on its way: its texts, each held back on its own, and the chunks that wait, in their order."""

    def __init__(self, exchange: Exchange, turn: Turn, *, window: int, overlap: int) -> None:
        self.exchange = exchange
        self.turn = turn
        self.first: chat.Body | None = None
        self._texts: dict[tuple[int, Path], HoldBack] = {}
        self._waiting: deque[Held] = deque()
        self._released: dict[int, bool] = {}
        self._calls = Calls()
        self._hold_calls = exchange.policy.has("tool_call") or bool(exchange.placeholders.restorable)
        self._window, self._overlap = window, overlap

    async def add(self, chunk: chat.Body) -> Verdict | None:
        """Take a chunk in and read what it adds; the verdict that ends the answer, if there is one."""
        self.first = self.first or chunk
        held = Held(chunk)
        for index, choice, delta in chat.deltas(chunk):
            self._released.setdefault(index, False)
            if self._hold_calls and self._calls.add(index, delta):
                held.calls = True
            for path, holder, key in list(texts(delta)):
                reader = self._reader(index, path)
                start = reader.received
                await reader.feed(holder[key])
                held.pieces.append(Piece(reader, index, choice, holder, key, start, reader.received))
                if _stops(reader):
                    return reader.ended
        # Only now: a chunk that could not be read to its end must not leave.
        self._waiting.append(held)
        return None

    async def finish(self) -> Verdict | None:
        """Read the rest; the verdict that ends the answer otherwise than the model did, if there is one."""
        for reader in self._texts.values():
            await reader.finish()
            if _stops(reader):
                return reader.ended
        calls = self._calls.whole()
        if calls:
            asked = Turn(self.turn.messages, (), calls, self.turn.documents, self.turn.tools, self.turn.labels)
            if self.exchange.policy.has("tool_call"):
                verdict = await self.exchange.check(asked, "tool_call")
                if verdict.reply is not None:
                    return verdict
                asked = verdict.turn
            restore = self.exchange.placeholders.restore
            restored = (ToolCall(call.name, restore(call.arguments, in_json=True)) for call in asked.tool_calls)
            self._calls.write(tuple(restored))
        self._hold_calls = False
        return None

    def leaving(self) -> list[chat.Body]:
        """The chunks that may leave now, in order, each with what may be seen of its texts."""
        chunks = []
        while self._waiting:
            held = self._waiting[0]
            if not all(piece.ready for piece in held.pieces) or (held.calls and self._hold_calls):
                break
            for piece in held.pieces:
                piece.write()
                self._released[piece.index] = True
            for index, choice, _ in chat.deltas(held.chunk):
                if choice.get("finish_reason"):
                    self._released.pop(index, None)
            chunks.append(self._waiting.popleft().chunk)
        return chunks

    def abandon(self) -> None:
        """Record what was shown of an answer that its caller did not wait for."""
        for reader in self._texts.values():
            reader.abandon()

    def overridden(self, reply: str) -> list[chat.Body]:
        """The chunks that end the answer with `reply` in every choice that is still open."""
        model = self.exchange.labels.get("model", "")
        return list(chat.override_chunks(model, reply, like=self.first, released=self._released))

    def _reader(self, index: int, path: Path) -> HoldBack:
        reader = self._texts.get((index, path))
        if reader is None:
            reader = HoldBack(self.exchange, self.turn, window=self._window, overlap=self._overlap)
            self._texts[index, path] = reader
        return reader


async def guarded(
    exchange: Exchange, turn: Turn, chunks: AsyncIterable[chat.Body], *, window: int, overlap: int
) -> AsyncGenerator[chat.Body]:
    """The chunks of an answer that the caller may have, as soon as they may leave.

    Stops taking chunks when a verdict ends the answer. Raises the provider's UpstreamError, after all that may leave of
    what came before it.
    """
    stream = Stream(exchange, turn, window=window, overlap=overlap)
    broken: UpstreamError | None = None
    ending: Verdict | None = None
    try:
        async for chunk in chunks:
            ending = await stream.add(chunk)
            for leaving in stream.leaving():
                yield leaving
            if ending is not None:
                break
    except UpstreamError as error:
        broken = error
    except (GeneratorExit, asyncio.CancelledError):
        stream.abandon()
        raise
    ending = ending or await stream.finish()
    for leaving in stream.leaving() if ending is None else stream.overridden(ending.reply or ""):
        yield leaving
    if broken is not None:
        raise broken


def _stops(reader: HoldBack) -> bool:
    return reader.ended is not None and reader.ended.reply is not None
