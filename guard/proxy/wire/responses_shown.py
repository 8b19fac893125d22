"""What the caller has seen of a streamed response, so that an override can go on from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guard.proxy.wire.leaves import Body
from guard.proxy.wire.responses_reply import message, override, wants_json

#: Where the text stands in the kinds of parts that a message has.
TEXTS = {"output_text": "text", "refusal": "refusal"}


class Shown:
    """The response so far: its items, and in those that are open the parts and what they say."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._number = -1
        self._response: Body = {}
        self._items: dict[int, Body] = {}
        #: The parts of each open item, and the texts, in pieces, of those parts that are open themselves.
        self._parts: dict[int, dict[int, Body]] = {}
        self._texts: dict[tuple[int, int], list[str]] = {}

    def numbered(self, kind: str, **fields: Any) -> Body:
        """The next event."""
        self._number += 1
        return {"type": kind, "sequence_number": self._number, **fields}

    def add(self, event: Body) -> None:
        """Take notice of an event that has left."""
        number = event.get("sequence_number")
        self._number = number if isinstance(number, int) else self._number + 1
        item, part = event.get("output_index", 0), event.get("content_index", 0)
        match event:
            case {"type": "response.created" | "response.in_progress", "response": dict(response)}:
                self._response = response
            case {"type": "response.output_item.added", "item": dict(begun)}:
                self._items[item], self._parts[item] = begun, {}
            case {"type": "response.output_item.done", "item": dict(done)}:
                self._items[item] = done
                for at in self._parts.pop(item, ()):
                    self._texts.pop((item, at), None)
            case {"type": "response.content_part.added", "part": dict(begun)} if item in self._parts:
                self._parts[item][part] = begun
                self._texts[item, part] = [_text(begun)]
            case {"type": "response.content_part.done", "part": dict(done)} if item in self._parts:
                self._parts[item][part] = done
                self._texts.pop((item, part), None)
            case {"type": "response.output_text.delta" | "response.refusal.delta", "delta": str(delta)}:
                self._texts.get((item, part), []).append(delta)

    def override(self, text: str) -> Iterator[Body]:
        """The events that end what is open, then say `text` in a message of its own, and end the response."""
        # A provider that was cut off may not keep its response: who continues it continues the one before it.
        over = override(self._body, text, {key: value for key, value in self._response.items() if key != "id"})
        if not self._response:
            self._response = {**over, "status": "in_progress", "output": [], "incomplete_details": None}
            yield self.numbered("response.created", response=self._response)
            yield self.numbered("response.in_progress", response=self._response)
        following = max(self._items, default=-1) + 1
        for at in sorted(self._parts):
            yield from self._ending(at)
        kept = [self._items[at] for at in sorted(self._items)]
        says = over["output"][0]
        if not wants_json(self._body) and any(map(_says, kept)):
            says = message(self._body, f"\n\n{text}")
        yield from self._saying(says, following)
        yield self.numbered("response.completed", response={**self._response, **over, "output": [*kept, says]})

    def _ending(self, at: int) -> Iterator[Body]:
        """The end of an open item. Half of a call is of no use, and half of a JSON text neither: those are left out."""
        item = {**self._items.pop(at), "status": "incomplete"}
        if item.get("type") == "message" and not wants_json(self._body):
            item["content"] = content = []
            for number, part in sorted(self._parts[at].items()):
                if (at, number) in self._texts:
                    part = {**part, _field(part) or "text": "".join(self._texts[at, number])}
                    where = {"item_id": item.get("id"), "output_index": at, "content_index": number}
                    yield from self._part_over(where, part)
                content.append(part)
            self._items[at] = item
        yield self.numbered("response.output_item.done", output_index=at, item=item)

    def _saying(self, item: Body, at: int) -> Iterator[Body]:
        """A message of one part, from its beginning to its end."""
        part = item["content"][0]
        where = {"item_id": item["id"], "output_index": at, "content_index": 0}
        begun = {**item, "status": "in_progress", "content": []}
        yield self.numbered("response.output_item.added", output_index=at, item=begun)
        yield self.numbered("response.content_part.added", **where, part={**part, _field(part): ""})
        yield self.numbered(f"response.{part['type']}.delta", **where, delta=_text(part), **_beside(part))
        yield from self._part_over(where, part)
        yield self.numbered("response.output_item.done", output_index=at, item=item)

    def _part_over(self, where: Body, part: Body) -> Iterator[Body]:
        if field := _field(part):
            yield self.numbered(f"response.{part['type']}.done", **where, **{field: _text(part)}, **_beside(part))
        yield self.numbered("response.content_part.done", **where, part=part)


def _says(item: Body) -> bool:
    """Whether an item is a message that says something."""
    content = item.get("content")
    return isinstance(content, list) and any(_text(part) for part in content if isinstance(part, dict))


def _text(part: Body) -> str:
    return str(part.get(_field(part)) or "")


def _field(part: Body) -> str:
    """Where the text of a message's part stands; nowhere in a part of another kind."""
    return TEXTS.get(str(part.get("type")), "")


def _beside(part: Body) -> Body:
    return {"logprobs": []} if part["type"] == "output_text" else {}
