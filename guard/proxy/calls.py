"""The tool calls of a stream, put together from their pieces: nobody can use, or judge, half a call."""

from __future__ import annotations

from collections.abc import Hashable, Set

from guard.errors import UpstreamError
from guard.guard import Exchange, Verdict
from guard.metrics import ToolCall, Turn
from guard.proxy.wire.wire import Place


class Call:
    """One call: the places of its pieces, which are written once it was read."""

    def __init__(self) -> None:
        self.ready = False
        self._name: list[str] = []
        self._arguments: list[str] = []
        self._places: list[Place] = []
        self._allowed = ""

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
        return ToolCall("".join(self._name), "".join(self._arguments))

    def allow(self, arguments: str) -> None:
        """Let the call go out with these arguments: changed, all in its first piece and nothing in the others."""
        self.ready, self._allowed = True, arguments
        if arguments != "".join(self._arguments):
            for number, place in enumerate(self._places):
                place.write("" if number else arguments)

    def repeat(self, place: Place) -> None:
        """Say the call once more, as it was let out."""
        place.write(self._allowed)


class Calls:
    """The calls of one answer, checked together as soon as all that have begun are complete."""

    def __init__(self, exchange: Exchange, turn: Turn) -> None:
        self.exchange = exchange
        self.turn = turn
        #: Whether anybody wants to read them, or has something to put back into them.
        self.held = exchange.policy.has("tool_call") or bool(exchange.placeholders.restorable)
        self._calls: dict[Hashable, Call] = {}
        self._open: set[Hashable] = set()

    def __contains__(self, call: Hashable) -> bool:
        return call in self._calls

    def add(self, place: Place) -> Call:
        """The call that a place belongs to, with what the place adds to it."""
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
        return None if self._open else await self.finish()

    async def finish(self) -> Verdict | None:
        """Check the calls that were not checked yet; the verdict that ends the answer, if there is one."""
        waiting = [call for call in self._calls.values() if not call.ready]
        if not waiting:
            return None
        whole = tuple(call.whole for call in waiting)
        asked = Turn(self.turn.messages, (), whole, self.turn.documents, self.turn.tools, self.turn.labels)
        asked, refused = await self.exchange.check_each(asked, ("tool_call",))
        if refused is not None:
            return refused
        restore = self.exchange.placeholders.restore
        for call, allowed in zip(waiting, asked.tool_calls, strict=True):
            call.allow(restore(allowed.arguments, in_json=True))
        return None
