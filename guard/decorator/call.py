"""One call of a protected handler: its input read before, its output read after or while it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from guard.decorator.input import Input
from guard.decorator.output import Output
from guard.decorator.shapes import Slot
from guard.errors import SettingsError
from guard.guard import Exchange
from guard.metrics import ANSWERED, ASKED
from guard.stream import HoldBack
from guard.verdict import Verdict

OnBlock: TypeAlias = Literal["answer", "raise"] | Callable[[Verdict], Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A stream's chunk that waits until its texts were read: which, in which stream of text, and from where in it."""

    chunk: Any
    pieces: list[tuple[Slot, HoldBack, int]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether all of it was read, so that it may go out."""
        return all(text.released_to >= start + len(slot.text) for slot, text, start in self.pieces)


class Call:
    """One call. `blocked` is the verdict that keeps the input from the handler, or the answer from the caller."""

    def __init__(
        self,
        exchange: Exchange,
        taken: Input,
        given: Output,
        on_block: OnBlock,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self.exchange = exchange
        self.blocked: Verdict | None = None
        self._taken, self._given, self._on_block = taken, given, on_block
        self._bound = taken.bind(args, kwargs)
        self._turn = taken.read(self._bound, exchange.labels)
        self._texts: dict[tuple[str | int, ...], HoldBack] = {}
        self._waiting: deque[Held] = deque()
        self._last: Any = None

    @property
    def args(self) -> tuple[Any, ...]:
        """What the handler is to be called with, in order."""
        return self._bound.args

    @property
    def kwargs(self) -> dict[str, Any]:
        """What the handler is to be called with, by name."""
        return self._bound.kwargs

    async def enter(self) -> bool:
        """Check the input; whether the handler may be called."""
        before = self._turn
        self._turn, self.blocked = await self.exchange.check_each(self._turn, ASKED)
        if self.blocked is None:
            self._taken.write(self._bound, before, self._turn)
        return self.blocked is None

    async def leave(self, answer: Any) -> Any:
        """Check a whole answer; the answer as the caller may have it."""
        slots, calls = self._given.slots(answer), self._given.calls(answer)
        texts, asked = tuple(slot.text for slot in slots), tuple(slot.call for slot in calls)
        self._turn = replace(self._turn, output=texts, tool_calls=asked)
        self._turn, self.blocked = await self.exchange.check_each(self._turn, ANSWERED)
        if self.blocked is not None:
            return self.instead(answer)
        restore = self.exchange.placeholders.restore
        for slot, text in zip(slots, self._turn.output, strict=True):
            answer = self._given.put(answer, slot, restore(text))
        for slot, call in zip(calls, self._turn.tool_calls, strict=True):
            answer = slot.put(answer, restore(call.arguments, in_json=True))
        return answer

    async def take(self, chunk: Any) -> list[Any]:
        """Take in a chunk of a stream; the chunks that may go out now. No more are wanted once it is `blocked`."""
        slots = self._given.slots(chunk)
        if self.exchange.policy.has("tool_call") and self._given.calls_tools(chunk):
            raise SettingsError(
                f"the tool calls that {self._given.name}() streams cannot be checked while they come; "
                "return the answer whole, or leave out the policy's stage tool_call"
            )
        self._last = chunk
        held = Held(chunk)
        for slot in slots:
            text = self._texts.get(slot.key) or self._texts.setdefault(slot.key, HoldBack(self.exchange, self._turn))
            held.pieces.append((slot, text, text.received))
            await text.feed(slot.text)
            self._stop(text)
        self._waiting.append(held)
        return self._leaving()

    async def finish(self) -> list[Any]:
        """Read the rest of a stream; the chunks that go out last."""
        for text in self._texts.values():
            if self.blocked is None:
                await text.finish()
                self._stop(text)
        return self._leaving() if self.blocked is None else [self.instead(self._last)]

    def abandon(self) -> None:
        """Record what went out of a stream whose rest nobody waits for."""
        for text in self._texts.values():
            text.abandon()

    def instead(self, like: Any = None) -> Any:
        """What the caller gets instead of what was blocked; `like` is what it gave. Raises Blocked if told to."""
        assert self.blocked is not None
        if self._on_block == "raise":
            self.blocked.raise_if_blocked()
        if callable(self._on_block):
            return self._on_block(self.blocked)
        begun = any(text.released_to for text in self._texts.values())
        return self._given.saying(f"\n\n{self.blocked.text}" if begun else self.blocked.text, like)

    def _stop(self, text: HoldBack) -> None:
        if self.blocked is None and text.ended is not None and not text.ended.allowed:
            self.blocked = text.ended

    def _leaving(self) -> list[Any]:
        leaving = []
        while self._waiting and self._waiting[0].ready:
            held = self._waiting.popleft()
            chunk = held.chunk
            for slot, text, start in held.pieces:
                chunk = self._given.put(chunk, slot, text.edited(start, start + len(slot.text)))
            # A string of which nothing is left to see is not sent.
            if chunk != "" or held.chunk == "":
                leaving.append(chunk)
        return leaving
