"""The tool calls of a stream, put together from their pieces: nobody can use, or judge, half a call."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set
from dataclasses import replace

from guard.errors import UpstreamError
from guard.guard import Exchange
from guard.metrics import ToolCall, Turn
from guard.proxy.wire.wire import Place
from guard.verdict import Verdict


class Call:
    """One call: the places of its pieces, which are written once it was read."""

    def __init__(self) -> None:
        self.ready = False
        #: The arguments that were let out.
        self.allowed = ""
        self._name: list[str] = []
        self._arguments: list[str] = []
        self._places: list[Place] = []

    def add(self, place: Place) -> None:
        """Take in the next piece, or a repetition of the whole where no piece has come."""
        if not isinstance(place.value, str):
            raise UpstreamError("the provider's stream is not understood: a tool call's arguments are no text")
        self._name.append(place.name)
        self._arguments.append(place.value)
        self._places.append(place)

    @property
    def whole(self) -> ToolCall:
        """The call as the model made it."""
        # Some providers say the name again with each piece.
        names = dict.fromkeys(filter(None, self._name))
        return ToolCall("".join(names if len(names) == 1 else self._name), "".join(self._arguments))

    def allow(self, arguments: str) -> None:
        """Let the call go out with these arguments: changed, all in the first piece that had any."""
        if arguments != "".join(self._arguments):
            first = next((place for place in self._places if place.value), self._places[0])
            for place in self._places:
                place.write(arguments if place is first else "")
        # Only now: a call into which they cannot be written must not go out with what it had.
        self.ready, self.allowed = True, arguments


class Calls:
    """The calls of one answer, checked together as soon as all that have begun are complete.

    Under `stream: observe` they are checked when the answer is over, and what is found is recorded.
    """

    def __init__(self, exchange: Exchange, turn: Turn) -> None:
        self.exchange = exchange
        self.turn = turn
        reads = exchange.policy.has("tool_call")
        self._observed = reads and exchange.policy.stage("tool_call").stream == "observe"
        #: Whether they go out only when they are complete, to be read or to have something put back into them.
        self.held = bool(exchange.placeholders.restorable) or (reads and not self._observed)
        self._kept = self.held or reads
        self._calls: dict[Hashable, Call] = {}
        self._open: set[Hashable] = set()

    def __contains__(self, call: Hashable) -> bool:
        return call in self._calls

    def add(self, place: Place) -> Call | None:
        """The call that a place belongs to, with what the place adds to it; None where nobody wants to know."""
        if not self._kept:
            return None
        call = self._calls.setdefault(place.text, Call())
        if call.ready:
            raise UpstreamError("the provider's stream is not understood: it goes on with a tool call that had ended")
        self._open.add(place.text)
        call.add(place)
        return call

    def get(self, place: Place) -> Call:
        """The call that a place repeats."""
        return self._calls[place.text]

    async def end(self, ended: Set[Hashable]) -> Verdict | None:
        """Check the calls where with these none is left open; the verdict that ends the answer, if there is one."""
        if self._open.isdisjoint(ended):
            return None
        self._open -= ended
        return None if self._open else await self._release()

    async def finish(self) -> Verdict | None:
        """Check the calls that were not checked yet; the verdict that ends the answer, if there is one."""
        verdict = await self._release()
        if self._observed and self._calls:
            await self.exchange.check(self._asked(self._calls.values()), "tool_call", observed=True)
        return verdict

    async def _release(self) -> Verdict | None:
        waiting = [call for call in self._calls.values() if not call.ready]
        if not waiting or not self.held:
            return None
        asked, refused = self._asked(waiting), None
        if not self._observed:
            asked, refused = await self.exchange.check_each(asked, ("tool_call",))
        if refused is not None:
            return refused
        restore = self.exchange.placeholders.restore_call
        for call, allowed in zip(waiting, asked.tool_calls, strict=True):
            call.allow(restore(allowed.arguments))
        return None

    def _asked(self, calls: Iterable[Call]) -> Turn:
        return replace(self.turn, output=(), tool_calls=tuple(call.whole for call in calls))
