"""A streamed chat completion: chunks with a delta for each choice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from time import time
from types import NoneType
from uuid import uuid4

from guard.errors import GuardError, UpstreamError
from guard.proxy import sse
from guard.proxy.wire import openai
from guard.proxy.wire.around import OF_ANSWER, OF_CHOICE, around, spelt
from guard.proxy.wire.leaves import Body, Path, arguments, texts
from guard.proxy.wire.media import media
from guard.proxy.wire.wire import Place

FILTERED = "content_filter"
#: Where some providers say a choice's text once more, beside its delta. Nobody reads it, so it stays here.
BESIDE = ("message", "text")


class ChatStream:
    """The chunks of one answer, whose id an override carries on, and the choices that are still open."""

    end = sse.DONE

    def __init__(self, model: str) -> None:
        self._head: Body = {
            "id": f"chatcmpl-guard-{uuid4().hex[:24]}",
            "object": "chat.completion.chunk",
            "created": int(time()),
            "model": model,
        }
        self._first = True
        #: Each open choice, and whether some of its text has left.
        self._open: dict[int, bool] = {}
        #: What each choice said beside its content, such as reasoning, since its content last went on.
        self._beside: defaultdict[int, set[tuple[int, Path]]] = defaultdict(set)
        self._whole: list[Place] = []
        #: By choice and number, the id of the call that is being made, and how many had this number before it.
        self._calls: dict[tuple[int, int], tuple[str, int]] = {}
        #: The texts that the event at hand adds to.
        self._said: set[tuple[int, Path]] = set()

    def read(self, event: Body) -> Iterator[Place]:
        """The texts and pieces of calls in each choice's delta."""
        if self._first:
            self._first = False
            self._head.update({key: event[key] for key in _CARRIED if key in event})
        self._said.clear()
        # Said whole, and often again with each chunk: one goes by its words.
        self._whole = [Place(("whole", holder[key]), holder, key) for _, holder, key in around(event, OF_ANSWER)]
        for index, choice, delta in deltas(event):
            self._open.setdefault(index, False)
            said = ""
            for number, holder, key in arguments(delta):
                name = str(holder.get("name") or "")
                text = ("call", index, number, self._turn_of(index, number, holder, delta))
                place = Place(text, holder, key, "tool_call", name, owner=choice)
                if not isinstance(place.value, str):
                    raise UpstreamError(f"{_NO_CHAT}: a tool call's arguments are no text")
                said += place.value
                yield place
            for path, holder, key in (*texts(delta), *around(choice, OF_CHOICE)):
                self._said.add((index, path))
                said += holder[key]
                yield Place((index, path), holder, key, owner=choice)
            if choice.get("logprobs") and spelt(choice) not in said:
                choice["logprobs"] = None  # of a text that is still to come, or that nobody is shown

    def unread(self, event: Body) -> Iterator[tuple[Hashable, str]]:
        """The parts of each choice's delta that are no text. A sound goes on over many of them."""
        for index, _, delta in deltas(event):
            yield from (((index, path), kind) for path, kind in media(delta))

    def repeats(self, event: Body) -> Iterator[Place]:
        """What stands beside the choices: search results, citations, an error."""
        return iter(self._whole)

    def ended(self, event: Body) -> Iterator[Hashable]:
        """What a choice said beside its content, once the content goes on, and what was said whole."""
        yield from (place.text for place in self._whole)
        for index, path in self._said:
            if path[0] == "content":
                yield from self._beside.pop(index, set()) - self._said
        for index, path in self._said:
            if path[0] != "content":
                self._beside[index].add((index, path))

    def left(self, event: Body) -> None:
        """Note which choices have said something, and which are over."""
        for index, choice, delta in deltas(event):
            if not self._open.get(index, True):
                self._open[index] = next(texts(delta), None) is not None
            if choice.get("finish_reason"):
                self._open.pop(index, None)

    def override(self, text: str) -> Iterator[Body]:
        """For each choice that is still open its text, then its finish."""
        choices = self._open or {0: False}
        for index, some in choices.items():
            delta = {"content": f"\n\n{text}"} if some else {"role": "assistant", "content": text}
            yield {**self._head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
        for index in choices:
            yield {**self._head, "choices": [{"index": index, "delta": {}, "finish_reason": FILTERED}]}

    def broken(self, error: GuardError) -> Iterator[Body]:
        """An error event; that no `[DONE]` follows is how a stream says that it broke off."""
        yield openai.error(error)

    def encode(self, event: Body) -> bytes:
        """One `data:` line."""
        return sse.event(event)

    def _turn_of(self, index: int, number: int, holder: Body, delta: Body) -> int:
        """How many calls had this number before: some providers give each the number 0, and an id of its own."""
        calls = delta.get("tool_calls")
        own = (
            one.get("id")
            for one in (calls if isinstance(calls, list) else ())
            if isinstance(one, dict) and (one.get("function") is holder or one.get("custom") is holder)
        )
        told, (known, turn) = next(own, None), self._calls.get((index, number), ("", 0))
        if isinstance(told, str) and told and holder.get("name"):
            turn += bool(known) and told != known
            self._calls[index, number] = told, turn
        return turn


_CARRIED = ("id", "created", "model", "system_fingerprint")
_NO_CHAT = "the provider's stream is no chat completion"


def deltas(chunk: Body) -> Iterator[tuple[int, Body, Body]]:
    """Each choice of a stream's chunk: its index, the choice, and its delta. Raises UpstreamError for other shapes."""
    choices = chunk.get("choices", [])
    if not isinstance(choices, list):
        raise UpstreamError(f"{_NO_CHAT}: its choices are no array")
    for choice in choices:
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(delta, (dict, NoneType)):
            raise UpstreamError(f"{_NO_CHAT}: a choice has no delta")
        if delta is None and any(choice.get(field) for field in BESIDE):
            raise UpstreamError(f"{_NO_CHAT}: a choice says its text outside its delta")
        index = choice.get("index", 0)
        if not isinstance(index, int):
            raise UpstreamError(f"{_NO_CHAT}: a choice's index is no number")
        for field in BESIDE:
            choice.pop(field, None)
        yield index, choice, delta or {}
