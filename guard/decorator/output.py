"""What a handler gives: where the texts in it are, and the same answer with other texts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cached_property
from typing import Any

from guard.decorator.place import Path, described, get, parse, put
from guard.decorator.refusal import annotated, built
from guard.decorator.shapes import CallSlot, Slot, answer_slots, call_slots, calls_tools, saying
from guard.errors import SettingsError


class Output:
    """A handler's output. `found` is a path into what it returns, or a function of it that gives the text."""

    def __init__(self, handler: Callable[..., Any], name: str, found: str | Callable[[Any], Any] | None) -> None:
        self.handler = handler
        self.name = name
        self.find = found if callable(found) else None
        self.path: Path = parse(found) if isinstance(found, str) else ()

    def slots(self, answer: Any) -> list[Slot]:
        """The texts of an answer, or of a stream's chunk. Raises SettingsError where its shape is not known."""
        value = self._value(answer)
        if isinstance(value, (Awaitable, Iterator, AsyncIterator)):
            raise SettingsError(
                f"what {self.name}() returned is still to come ({described(value)}); let {self.name} be "
                "`async def` and await it, or yield its pieces (`yield from ...`)"
            )
        slots = answer_slots(value)
        if slots is None:
            raise SettingsError(
                f"what {self.name}() returned is neither text nor a message nor a completion ({described(value)}); "
                "say where the text is, as in protect(..., output='answer')"
            )
        return [Slot((*self.path, *slot.path), slot.text, slot.key) for slot in slots]

    def calls(self, answer: Any) -> list[CallSlot]:
        """The tool calls of a whole answer."""
        found = call_slots(self._value(answer))
        return [CallSlot((*self.path, *slot.path), slot.call, slot.parsed) for slot in found]

    def calls_tools(self, chunk: Any) -> bool:
        """Whether a stream's chunk holds a piece of a tool call."""
        return calls_tools(self._value(chunk))

    def put(self, answer: Any, slot: Slot, text: str) -> Any:
        """The answer with another text in a slot."""
        if text == slot.text:
            return answer
        if self.find:
            raise SettingsError(
                f"a policy changed the answer of {self.name}(), and a function cannot say where to put what is left; "
                "name the place, as in output='answer'"
            )
        return put(answer, slot.path, text)

    def saying(self, text: str, like: Any = None) -> Any:
        """The handler's answer, had it said `text`: made like one that it gave, else of the type that it declares.

        Raises SettingsError where none can be made.
        """
        if like is None or self.find:
            return built(self._kind, self.path, text)
        return put(like, self.path, saying(get(like, self.path), text))

    @cached_property
    def _kind(self) -> Any:
        return annotated(self.handler)

    def _value(self, answer: Any) -> Any:
        return self.find(answer) if self.find else get(answer, self.path)
