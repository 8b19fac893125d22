"""A streamed answer, held back until it was read: events in, the same events out, later or edited or cut off."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Hashable
from dataclasses import dataclass, field

from guard.errors import UpstreamError
from guard.guard import Exchange, Verdict
from guard.metrics import Turn
from guard.proxy.calls import Call, Calls
from guard.proxy.wire.leaves import Body
from guard.proxy.wire.wire import Place, Streaming
from guard.stream import HoldBack


@dataclass(slots=True)
class Piece:
    """A text in an event: characters start to end, exclusive, of one held-back text; no `end`: all of it."""

    place: Place
    text: HoldBack
    start: int = 0
    end: int | None = None

    @property
    def ready(self) -> bool:
        """Whether it was read, so that it may leave."""
        end = self.text.received if self.end is None else self.end
        return self.text.released_to >= end

    def write(self) -> None:
        """Put what may leave into the event."""
        self.place.write(self.text.edited(self.start, self.text.received if self.end is None else self.end))


@dataclass(slots=True)
class CallPiece:
    """A piece of a tool call in an event, or a repetition of the whole call."""

    place: Place
    call: Call
    repeats: bool = False

    @property
    def ready(self) -> bool:
        """Whether the whole call was read."""
        return self.call.ready

    def write(self) -> None:
        """Put what may leave into the event."""
        if self.repeats:
            self.call.repeat(self.place)


@dataclass(slots=True)
class Held:
    """An event that waits for its texts and calls to be read."""

    event: Body
    pieces: list[Piece | CallPiece] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether all of it was read."""
        return all(piece.ready for piece in self.pieces)


class Stream:
    """One answer on its way: its texts, each held back on its own, and the events that wait, in their order."""

    def __init__(self, wire: Streaming, exchange: Exchange, turn: Turn, *, window: int, overlap: int) -> None:
        self.wire = wire
        self.exchange = exchange
        self.turn = turn
        self._texts: dict[Hashable, HoldBack] = {}
        self._calls = Calls(exchange, turn)
        self._waiting: deque[Held] = deque()
        self._window, self._overlap = window, overlap

    async def add(self, event: Body) -> Verdict | None:
        """Take an event in and read what it adds; the verdict that ends the answer, if there is one."""
        held = Held(event)
        for place in list(self.wire.read(event)):
            if verdict := await self._add(held, place):
                return verdict
        for place in list(self.wire.repeats(event)):
            if verdict := await self._repeat(held, place):
                return verdict
        ended = set(self.wire.ended(event))
        # Only now: an event that could not be read to its end must not leave.
        self._waiting.append(held)
        for text in ended & self._texts.keys():
            if verdict := await self._finish(self._texts[text]):
                return verdict
        return await self._calls.end(ended)

    async def finish(self) -> Verdict | None:
        """Read the rest; the verdict that ends the answer otherwise than the model did, if there is one."""
        for text in self._texts.values():
            if verdict := await self._finish(text):
                return verdict
        return await self._calls.finish()

    def leaving(self) -> list[Body]:
        """The events that may leave now, in order, each with what may be seen of its texts."""
        events = []
        while self._waiting and self._waiting[0].ready:
            held = self._waiting.popleft()
            for piece in held.pieces:
                piece.write()
            self.wire.left(held.event)
            events.append(held.event)
        return events

    def abandon(self) -> None:
        """Record what was shown of an answer that its caller did not wait for."""
        for text in self._texts.values():
            text.abandon()

    async def _add(self, held: Held, place: Place) -> Verdict | None:
        if place.side == "tool_call":
            if self._calls.held:
                held.pieces.append(CallPiece(place, self._calls.add(place)))
            return None
        text = self._texts.get(place.text)
        if text is None:
            text = HoldBack(self.exchange, self.turn, window=self._window, overlap=self._overlap)
            self._texts[place.text] = text
        if text.finished:
            raise UpstreamError("the provider's stream is not understood: it goes on with a text that had ended")
        start = text.received
        await text.feed(str(place.value))
        held.pieces.append(Piece(place, text, start, text.received))
        return _stopped(text)

    async def _repeat(self, held: Held, place: Place) -> Verdict | None:
        if place.side == "tool_call" and place.text in self._calls:
            held.pieces.append(CallPiece(place, self._calls.get(place), repeats=True))
        elif place.text in self._texts:
            held.pieces.append(Piece(place, self._texts[place.text]))
        else:
            # Said for the first time, whatever the protocol calls it.
            return await self._add(held, place)
        return None

    async def _finish(self, text: HoldBack) -> Verdict | None:
        await text.finish()
        return _stopped(text)


async def guarded(
    wire: Streaming, exchange: Exchange, turn: Turn, events: AsyncIterable[Body], *, window: int, overlap: int
) -> AsyncGenerator[Body]:
    """The events of an answer that the caller may have, as soon as they may leave.

    Stops taking events when a verdict ends the answer. Raises the provider's UpstreamError, after all that may leave of
    what came before it.
    """
    stream = Stream(wire, exchange, turn, window=window, overlap=overlap)
    broken: UpstreamError | None = None
    ending: Verdict | None = None
    try:
        async for event in events:
            ending = await stream.add(event)
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
    for leaving in stream.leaving() if ending is None else wire.override(ending.reply or ""):
        yield leaving
    if broken is not None:
        raise broken


def _stopped(text: HoldBack) -> Verdict | None:
    return text.ended if text.ended is not None and text.ended.reply is not None else None
