"""Anthropic's Messages on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import NoReturn
from uuid import uuid4

from guard.errors import BadRequest, Filtered, UpstreamError
from guard.metrics.turn import MODEL_ROLES, TOOL_ROLES, Message, ToolCall, Turn
from guard.proxy.wire import anthropic
from guard.proxy.wire.blocks import CHANGED, Given, is_thought, texts
from guard.proxy.wire.fields import tools_of, unknown, with_tools
from guard.proxy.wire.history import without_refused
from guard.proxy.wire.leaves import Body
from guard.proxy.wire.media import media
from guard.proxy.wire.messages_stream import REFUSED, MessageStream
from guard.proxy.wire.slots import role_of, slots, unread
from guard.proxy.wire.wire import Place
from guard.stages.placeholders import Placeholders


class Messages:
    """Messages of blocks in, one message of blocks out."""

    route = "/v1/messages"
    path = "messages"

    error = staticmethod(anthropic.error)
    labels = staticmethod(anthropic.labels)
    validate = staticmethod(anthropic.validate)

    def streams(self, body: Body) -> bool:
        """Whether the caller wants events."""
        return bool(body.get("stream"))

    def without_refused(self, body: Body, replies: Collection[str]) -> Body:
        """The body without the turns that Guard answered itself."""
        return {**body, "messages": without_refused(body["messages"], replies, role=role_of)}

    def read_request(self, body: Body, labels: Mapping[str, str]) -> Turn:
        """The turn that a request asks for. What is in a block of a tool is the tool's, whose message it stands in."""
        read = list(slots(body))
        said = groupby((slot for slot in read if slot.kind == "said"), key=attrgetter("message", "role", "tool"))
        return Turn(
            messages=tuple(
                Message(role, tuple(str(slot.place.value) for slot in of), tool) for (_, role, tool), of in said
            ),
            documents=tuple(str(slot.place.value) for slot in read if slot.kind == "document"),
            tools=tools_of(body),
            labels=labels,
        )

    def unread(self, body: Body) -> Mapping[str, int]:
        """How many blocks hold no text, wherever they stand, and how many fields are not known, by kind."""
        return Counter((*unread([body.get("system"), body["messages"]]), *unknown(body, "system", "messages")))

    def unread_answer(self, answer: Body) -> Mapping[str, int]:
        """How many blocks are no text, and how many files were made, by kind."""
        return Counter(kind for _, kind in media(answer.get("content")))

    def write_request(self, body: Body, before: Turn, after: Turn, placeholders: Placeholders) -> Body:
        """The body with the texts of `after`, and without what was put back into earlier answers and calls."""
        body = with_tools(body, before, after)
        if after.messages != before.messages or after.documents != before.documents or placeholders.restorable:
            body = {**body, **deepcopy({key: body[key] for key in ("system", "messages") if key in body})}
            try:
                _write(body, after, placeholders)
            except UpstreamError as error:
                raise BadRequest(str(error), param="messages") from None
        return _without_changed(body)

    def read_answer(self, answer: Body, turn: Turn) -> Turn:
        """The turn with the texts of every block, and the calls among them."""
        if not isinstance(answer.get("content"), list):
            raise UpstreamError("the provider's answer is no message: it has no content")
        return _with_answer(turn, answer)

    def signed(self, answer: Body) -> Collection[int]:
        """What the model thought."""
        output = (place for place in _answered(answer) if place.side == "output")
        return {number for number, place in enumerate(output) if place.signed}

    def write_answer(self, answer: Body, output: Sequence[str], arguments: Sequence[str]) -> Body:
        """The answer with other texts and inputs, changed in place."""
        new_texts, new_inputs = iter(output), iter(arguments)
        for place in list(_answered(answer)):
            text = next(new_texts if place.side == "output" else new_inputs)
            _put(place, text)
        return answer

    def override(self, body: Body, text: str, answer: Body | None = None) -> Body:
        """A message of one block that says `text`."""
        return {
            "id": f"msg_guard_{uuid4().hex[:24]}",
            "type": "message",
            "role": "assistant",
            "model": (answer or body).get("model") or body["model"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": REFUSED,
            "stop_sequence": None,
            # What the provider charges for was used, whoever gets to see it.
            "usage": answer.get("usage") if answer else {"input_tokens": 0, "output_tokens": 0},
        }

    def streaming(self, body: Body) -> MessageStream:
        """A new stream of events."""
        return MessageStream(body["model"])


class CountTokens(Messages):
    """The tokens of a request, counted by a provider that gets to read it: so the request is checked like any other."""

    route = "/v1/messages/count_tokens"
    path = "messages/count_tokens"

    def streams(self, body: Body) -> bool:
        """Never."""
        return False

    def read_answer(self, answer: Body, turn: Turn) -> Turn:
        """The turn with the texts of the answer, of which a count has none."""
        return _with_answer(turn, answer)

    def override(self, body: Body, text: str, answer: Body | None = None) -> NoReturn:
        """Raises Filtered: a count cannot say a text."""
        raise Filtered(text, param="messages")


def _write(body: Body, after: Turn, placeholders: Placeholders) -> None:
    documents = iter(after.documents)
    parts = iter(part for message in after.messages for part in message.parts)
    for slot in list(slots(body)):
        place = slot.place
        if slot.kind == "document":
            text = next(documents)
        elif slot.kind == "given":
            text = placeholders.hide(str(place.value), in_json=True)
        else:
            text = next(parts)
            if slot.role in MODEL_ROLES | TOOL_ROLES:
                text = placeholders.hide(text)
        _put(place, text)


def _put(place: Place, text: str) -> None:
    """Write a text; a thought that changes by it is not the one that was signed."""
    if text != place.value and is_thought(place.holder, place.key):
        place.holder["signature"] = CHANGED
    place.write(text)


def _without_changed(body: Body) -> Body:
    """The body without thoughts that Guard changed, now or when it let them out: their provider would refuse them."""
    messages = [_signed(message) for message in body["messages"]]
    return body if messages == body["messages"] else {**body, "messages": messages}


def _signed(message: Body) -> Body:
    content = message["content"]
    if not isinstance(content, list) or all(block.get("signature") != CHANGED for block in content):
        return message
    return {**message, "content": [block for block in content if block.get("signature") != CHANGED]}


def _answered(answer: Body) -> Iterator[Place]:
    """Each text of an answer, and each input of a call, in their order."""
    for path, holder, key in texts(answer):
        if isinstance(holder[key], str):
            yield Place(path, holder, key, signed=is_thought(holder, key))
        else:
            yield Given(path, holder, key, "tool_call", str(holder.get("name") or ""))


def _with_answer(turn: Turn, answer: Body) -> Turn:
    places = list(_answered(answer))
    output = tuple(str(place.value) for place in places if place.side == "output")
    calls = tuple(ToolCall(place.name, str(place.value)) for place in places if place.side == "tool_call")
    return replace(turn, output=output, tool_calls=calls)
