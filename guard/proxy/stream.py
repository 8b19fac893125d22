"""A streamed answer, held back until it was read: events in, the same events out, later or edited or cut off."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Hashable, Set
from dataclasses import replace

import orjson

from guard.errors import Overloaded, UpstreamError
from guard.guard import Exchange
from guard.metrics import Turn
from guard.proxy.calls import Calls
from guard.proxy.held import CallPiece, Held, Piece, Repeat
from guard.proxy.unread import Unread, UnreadPiece
from guard.proxy.wire.leaves import Body
from guard.proxy.wire.wire import Place, Streaming
from guard.stream import HoldBack
from guard.verdict import Verdict

#: Bytes that are kept of each part that is no text: which one it was.
KEY = 200


class Stream:
    """One answer on its way: its texts, each held back on its own, and the events that wait, in their order.

    Both are kept in memory, up to `limit` bytes: texts to the end, as the last decision is on the whole of them.
    """

    def __init__(
        self, wire: Streaming, exchange: Exchange, turn: Turn, *, window: int, overlap: int, limit: int
    ) -> None:
        self.wire = wire
        self.exchange = exchange
        self.turn = turn
        self._texts: dict[Hashable, HoldBack] = {}
        self._calls = Calls(exchange, turn)
        self._unread = Unread(exchange)
        self._waiting: deque[Held] = deque()
        self._window, self._overlap = window, overlap
        self._limit, self._kept = limit, 0

    async def add(self, event: Body) -> Verdict | None:
        """Take an event in and read what it adds; the verdict that ends the answer, if there is one.

        Raises UpstreamError where it is not understood, or with it more would be kept than may be.
        """
        held = Held(event, size=len(orjson.dumps(event)))
        self._keep(held.size)
        said, repeated = list(self.wire.read(event)), list(self.wire.repeats(event))
        if (unread := list(self.wire.unread(event))) and (verdict := await self._note(held, unread)):
            return verdict
        ended = set(self.wire.ended(event))
        own = {place.text for place in (*said, *repeated)}
        # What the event interrupts came before it, so it is read before it.
        if verdict := await self._end(ended - own):
            return verdict
        for place in said:
            await self._add(held, place)
        for place in repeated:
            await self._repeat(held, place)
        # Only now: an event that could not be read to its end must not leave.
        self._waiting.append(held)
        stopped = (_stopped(text) for key, text in self._texts.items() if key in own)
        return next(filter(None, stopped), None) or await self._end(ended & own)

    async def _note(self, held: Held, unread: list[tuple[Hashable, str]]) -> Verdict | None:
        """Take in what is no text; the verdict that ends the answer, if there is one."""
        held.pieces.append(UnreadPiece(self._unread))
        is_new, number = self._unread.add(unread)
        self._keep(number * KEY)
        if not is_new:
            return None
        self.turn = self._calls.turn = replace(self.turn, unread_output=self._unread.kinds)
        for text in self._texts.values():
            text.surround(self.turn)
        return await self._unread.check(self.turn)

    async def _end(self, ended: Set[Hashable]) -> Verdict | None:
        for text in [text for key, text in self._texts.items() if key in ended] if ended else ():
            await text.pause()
            if verdict := _stopped(text):
                return verdict
        return await self._calls.end(ended)

    async def finish(self) -> Verdict | None:
        """Read the rest; the verdict that ends the answer otherwise than the model did, if there is one."""
        for text in self._texts.values():
            await text.finish()
            if verdict := _stopped(text):
                return verdict
        said = tuple(text.taken for text in self._texts.values())
        return await self._unread.finish(replace(self.turn, output=said)) or await self._calls.finish()

    def leaving(self, *, cut: bool = False) -> list[Body]:
        """The events that may leave now, in order, each with what may be seen of its texts.

        `cut`: after them nothing leaves, so that the next one may be cut off within its texts.
        """
        events = []
        while self._waiting and self._waiting[0].ready:
            events.append(self._left(self._waiting.popleft()))
        if cut and self._waiting and self._waiting[0].begun:
            events.append(self._left(self._waiting.popleft()))
        return events

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > self._limit:
            raise UpstreamError(f"the provider's answer is larger than {self._limit:,} bytes; raise max_answer")

    def _left(self, held: Held) -> Body:
        self._kept -= held.size
        for piece in held.pieces:
            piece.write()
        self.wire.left(held.event)
        return held.event

    def abandon(self) -> None:
        """Record what was shown of an answer that its caller did not wait for."""
        for text in self._texts.values():
            text.abandon()

    async def _add(self, held: Held, place: Place) -> None:
        self._keep(len(str(place.value)))
        if place.side == "tool_call":
            call = self._calls.add(place)
            if call is not None and self._calls.held:
                held.pieces.append(CallPiece(call))
            return
        text = self._texts.get(place.text)
        if text is None:
            text = HoldBack(
                self.exchange, self.turn, window=self._window, overlap=self._overlap, restore=not place.signed
            )
            self._texts[place.text] = text
        start = text.received
        await text.feed(str(place.value))
        held.pieces.append(Piece(place, text, start, max(text.received, start + len(str(place.value)))))

    async def _repeat(self, held: Held, place: Place) -> None:
        if place.side == "tool_call" and place.text in self._calls:
            if self._calls.held:
                held.pieces.append(Repeat(place, self._calls.get(place)))
        elif place.text in self._texts:
            held.pieces.append(Repeat(place, self._texts[place.text]))
        else:
            # Said for the first time, whatever the protocol calls it.
            await self._add(held, place)


async def guarded(
    wire: Streaming,
    exchange: Exchange,
    turn: Turn,
    events: AsyncIterable[Body],
    *,
    window: int,
    overlap: int,
    limit: int = 16_000_000,
) -> AsyncGenerator[Body]:
    """The events of an answer that the caller may have, as soon as they may leave.

    `window` and `overlap` are characters, `limit` the bytes that are kept of the answer. Stops taking events when a
    verdict ends the answer. Raises the provider's UpstreamError, after all that may leave of what came before it, and
    Overloaded where no thread was free in time to read the rest.
    """
    stream = Stream(wire, exchange, turn, window=window, overlap=overlap, limit=limit)
    broken: UpstreamError | None = None
    ending: Verdict | None = None
    try:
        try:
            async for event in events:
                ending = await stream.add(event)
                for leaving in stream.leaving(cut=ending is not None):
                    yield leaving
                if ending is not None:
                    break
        except UpstreamError as error:
            broken = error
        if ending is None:
            ending = await stream.finish()
            for leaving in stream.leaving(cut=ending is not None):
                yield leaving
    except (GeneratorExit, asyncio.CancelledError, Overloaded):
        stream.abandon()
        raise
    for leaving in wire.override(ending.reply or "") if ending else ():
        yield leaving
    if broken is not None:
        raise broken


def _stopped(text: HoldBack) -> Verdict | None:
    if text.ended is None or text.ended.reply is None:
        return None
    return text.exchange.in_time(text.ended)
