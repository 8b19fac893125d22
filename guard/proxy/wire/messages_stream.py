"""A streamed message of Anthropic's: blocks that start, grow by deltas, and stop, one after the other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

from guard.errors import GuardError, UpstreamError
from guard.proxy import sse
from guard.proxy.wire import anthropic
from guard.proxy.wire.blocks import CHANGED, Given, GivenPart, is_thought, texts
from guard.proxy.wire.leaves import Body
from guard.proxy.wire.media import media
from guard.proxy.wire.wire import Place

REFUSED = "refusal"
NO_MESSAGE = "the provider's stream is no message"
_TYPE = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class Thought(Place):
    """A part of what the model thought: changing it breaks the signature that the provider gives it at the end."""

    block: Hashable = None
    changed: set[Hashable] = field(default_factory=set)

    def write(self, text: str) -> None:
        """Put another text there, and remember that it is another."""
        if text != self.value:
            self.holder[self.key] = text
            self.changed.add(self.block)


class MessageStream:
    """The events of one answer, whose message an override carries on, and the blocks that are open."""

    end = b""

    def __init__(self, model: str) -> None:
        usage = {"input_tokens": 0, "output_tokens": 0}
        self._message: Body = {"id": f"msg_guard_{uuid4().hex[:24]}", "model": model, "usage": usage}
        self._used: Body = {"output_tokens": 0}
        self._events = 0
        #: What is not over yet: the texts and calls of each open block.
        self._growing: dict[Hashable, set[Hashable]] = {}
        self._changed: set[Hashable] = set()
        #: Calls that have been given nothing so far.
        self._empty: set[Hashable] = set()
        # What the caller has seen: whether the message has begun and said something, and which blocks are open.
        self._begun = self._said = False
        self._open: dict[int, None] = {}
        self._unsigned: set[Hashable] = set()
        self._next = 0

    def read(self, event: Body) -> Iterator[Place]:
        """Every text of the event. Those of one field of a block are one text, from its start to its stop."""
        if not _TYPE.fullmatch(str(event.get("type"))):
            raise UpstreamError(f"{NO_MESSAGE}: an event has no type")
        self._events += 1
        self._note(event)
        where = self._where(event)
        growing = self._growing.setdefault(where, set())
        for place in self._places(where, event):
            growing.add(place.text)
            yield place

    def unread(self, event: Body) -> Iterator[tuple[Hashable, str]]:
        """What of the event is no text: blocks come whole in the event that starts them."""
        where = self._where(event)
        return (((where, path), kind) for path, kind in media(event))

    def repeats(self, event: Body) -> Iterator[Place]:
        """None: nothing is said twice."""
        return iter(())

    def ended(self, event: Body) -> set[Hashable]:
        """All of a block that stops; all of an event that belongs to no block."""
        over = event["type"] == "content_block_stop" or "index" not in event
        return self._growing.pop(self._where(event), set()) if over else set()

    def left(self, event: Body) -> None:
        """Note what the caller has seen, and take the signature from a thought that is not the one that was signed."""
        kind, block = event["type"], self._where(event)
        self._begun = self._begun or kind == "message_start"
        if kind == "content_block_start":
            self._open[event["index"]] = None
            self._next = max(self._next, event["index"] + 1)
        elif kind == "content_block_stop":
            self._open.pop(event["index"], None)
        for part in ("content_block", "delta"):
            holder = event.get(part)
            if isinstance(holder, dict):
                self._said = self._said or bool(holder.get("text"))
                if holder.get("type") == "thinking":
                    self._unsigned.add(block)
                if holder.get("signature"):
                    self._unsigned.discard(block)
                    holder["signature"] = CHANGED if block in self._changed else holder["signature"]

    def override(self, text: str) -> Iterator[Body]:
        """What is open is closed; then a block with the text, and the end."""
        if not self._begun:
            message = {
                "type": "message",
                "role": "assistant",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
            }
            yield {"type": "message_start", "message": {**self._message, **message}}
        for index in self._open:
            if index in self._unsigned:
                # Cut off, a thought is not the one that its provider would take back.
                delta = {"type": "signature_delta", "signature": CHANGED}
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        index, said = self._next, f"\n\n{text}" if self._said else text
        yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
        yield {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": said}}
        yield {"type": "content_block_stop", "index": index}
        delta = {"stop_reason": REFUSED, "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": self._used}
        yield {"type": "message_stop"}

    def broken(self, error: GuardError) -> Iterator[Body]:
        """An event of type `error`, after which nothing comes."""
        yield anthropic.error(error)

    def encode(self, event: Body) -> bytes:
        """The event, with its type as its name."""
        return sse.event(event, name=event["type"])

    def _note(self, event: Body) -> None:
        """Keep what an override has to carry on: whose message it is, and what it has cost so far."""
        message = event.get("message") if event["type"] == "message_start" else event
        if not isinstance(message, dict):
            raise UpstreamError(f"{NO_MESSAGE}: it starts without one")
        usage = message.get("usage")
        if event["type"] == "message_start":
            self._message.update({key: message[key] for key in ("id", "model", "usage") if key in message})
        if isinstance(usage, dict):
            self._used.update({key: usage[key] for key in self._used if key in usage})

    def _where(self, event: Body) -> Hashable:
        """The block that an event belongs to, or the event itself."""
        if "index" not in event and not event["type"].startswith("content_block"):
            return f"event {self._events}"
        if type(event.get("index")) is not int:
            raise UpstreamError(f"{NO_MESSAGE}: an event's index is no number")
        return event["index"]

    def _places(self, where: Hashable, event: Body) -> Iterator[Place]:
        call = ("call", where)
        for path, holder, key in texts(event):
            if not isinstance(holder[key], str):
                name = str(holder.get("name") or "")
                if holder[key]:
                    yield Given(call, holder, key, "tool_call", name)
                else:  # what stands for a text that is to come
                    self._empty.add(where)
                    yield Place(call, {}, key, "tool_call", name)
            elif key == "partial_json":
                self._empty.discard(where)
                yield GivenPart(call, holder, key, "tool_call")
            else:
                # A block starts with a text that its deltas go on with.
                text = (where, path[1:] if path[0] in ("content_block", "delta") else path)
                if is_thought(holder, key):
                    yield Thought(text, holder, key, signed=True, block=where, changed=self._changed)
                else:
                    yield Place(text, holder, key)
        if event["type"] == "content_block_stop" and where in self._empty:
            self._empty.discard(where)
            yield Place(call, {"input": "{}"}, "input", "tool_call")
