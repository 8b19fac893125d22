"""OpenAI's Responses on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from guard.errors import BadRequest, TooLarge, UpstreamError
from guard.metrics.turn import MODEL_ROLES, TOOL_ROLES, Message, ToolCall, Turn, unread_kind
from guard.proxy.wire import openai, responses_reply
from guard.proxy.wire.chat import validate_message
from guard.proxy.wire.fields import tools_of, unknown, with_tools
from guard.proxy.wire.files import text_files
from guard.proxy.wire.history import without_refused
from guard.proxy.wire.leaves import MAX_DEPTH, Body
from guard.proxy.wire.media import media
from guard.proxy.wire.responses_items import answered, kind_of, role_of, written
from guard.proxy.wire.responses_stream import ResponsesStream
from guard.proxy.wire.wire import EARLIER
from guard.stages.placeholders import Placeholders

#: Kinds of parts and items that hold no text, as the coverage calls them.
UNREAD = {
    **{one: unread_kind(one) for one in ("input_image", "computer_screenshot", "image_generation_call")},
    **{one: unread_kind(one) for one in ("input_audio", "input_video", "input_file")},
    **dict.fromkeys(("item_reference", "compaction"), EARLIER),
}
#: Fields of a request that make the provider take up text which Guard does not see, and their kind.
UNSEEN = {"previous_response_id": EARLIER, "conversation": EARLIER, "prompt": "prompt"}
IN_BACKGROUND = (
    "'background' makes the answer after its response, where no stage reads it; "
    "leave it out, and use 'stream' for answers that take long"
)


class Responses:
    """Responses: items in, items out."""

    route = "/v1/responses"
    path = "responses"

    error = staticmethod(openai.error)

    def validate(self, body: Body, max_messages: int) -> None:
        """Refuse a body whose shape is not understood."""
        openai.validate_model(body)
        if body.get("background"):
            raise BadRequest(IN_BACKGROUND, param="background")
        for field in ("instructions", "previous_response_id"):
            if not isinstance(body.get(field) or "", str):
                raise BadRequest(f"'{field}' must be a string", param=field)
        for field in ("prompt", "text"):
            if not isinstance(body.get(field) or {}, dict):
                raise BadRequest(f"'{field}' must be an object", param=field)
        if not isinstance((body.get("prompt") or {}).get("variables") or {}, dict):
            raise BadRequest("'prompt.variables' must be an object", param="prompt.variables")
        given = body.get("input")
        if given is None and any(body.get(field) for field in UNSEEN):
            return
        if not given or not isinstance(given, (str, list)):
            raise BadRequest("'input' must be a string or an array with at least one item", param="input")
        if len(given) > max_messages and isinstance(given, list):
            raise TooLarge(f"{len(given):,} items are more than {max_messages:,}", param="input")
        for number, item in enumerate(given if isinstance(given, list) else ()):
            _validate_item(item, f"input[{number}]")

    def labels(self, body: Body) -> dict[str, str]:
        """The labels in OpenAI's fields; a conversation is a session."""
        conversation = body.get("conversation")
        name = conversation.get("id") if isinstance(conversation, dict) else conversation
        session = {"session": name[:200]} if isinstance(name, str) and name else {}
        return {**session, **openai.labels(body)}

    def streams(self, body: Body) -> bool:
        """Whether the caller wants events."""
        return bool(body.get("stream"))

    def without_refused(self, body: Body, replies: Collection[str]) -> Body:
        """The body without the turns that Guard answered itself, and continuing none of its responses."""
        body = responses_reply.continued(body)
        if not isinstance(body.get("input"), list):
            return body
        messages = [{"role": role_of(item), "content": _reply(item), "item": item} for item in body["input"]]
        kept = without_refused(messages, replies)
        return {**body, "input": [message["item"] for message in kept]} if len(kept) < len(messages) else body

    def read_request(self, body: Body, labels: Mapping[str, str]) -> Turn:
        """The turn that a request asks for, before it is answered."""
        try:
            messages = tuple(
                Message(role, tuple(holder[key] for holder, key in places), tool)
                for role, tool, places in written(body)
            )
        except UpstreamError as error:  # too deep
            raise BadRequest(f"'input' cannot be read: {error}", param="input") from None
        return Turn(
            messages=messages,
            documents=tuple(file.value for file in text_files(body.get("input"))),
            tools=tools_of(body),
            labels=labels,
        )

    def unread(self, body: Body) -> Mapping[str, int]:
        """How many parts and items are no text, and how many fields name text that the provider keeps, or
        are not known, by kind.
        """
        kept = (kind for field, kind in UNSEEN.items() if body.get(field))
        parts = _unread([body.get("input"), body.get("prompt")])
        counted = Counter((*kept, *parts, *unknown(body, "input", "instructions", *UNSEEN)))
        return counted - Counter(file=len(list(text_files(body.get("input")))))

    def unread_answer(self, answer: Body) -> Mapping[str, int]:
        """How many items, and parts and annotations of them, are no text, by kind."""
        return Counter(kind for _, kind in media(answer["output"]))

    def write_request(self, body: Body, before: Turn, after: Turn, placeholders: Placeholders) -> Body:
        """The body with the texts of `after`, and without what was put back into earlier answers."""
        body = with_tools(body, before, after)
        same = after.messages == before.messages and after.documents == before.documents
        if same and not placeholders.restorable:
            return body
        read = ("input", "instructions", "prompt")
        body = {**body, **deepcopy({field: body[field] for field in read if field in body})}
        for (role, _, places), message in zip(list(written(body)), after.messages, strict=True):
            for (holder, key), text in zip(places, message.parts, strict=True):
                earlier = role in MODEL_ROLES | TOOL_ROLES
                holder[key] = placeholders.hide(text, in_json=key == "arguments") if earlier else text
        for file, text in zip(list(text_files(body.get("input"))), after.documents, strict=True):
            file.write(text)
        return body

    def read_answer(self, answer: Body, turn: Turn) -> Turn:
        """The turn with the texts and calls of every item."""
        if "output" not in answer:
            raise UpstreamError("the provider's answer is no response: it has no output")
        output: list[str] = []
        calls: list[ToolCall] = []
        for place in answered(answer):
            if not isinstance(place.value, str):
                raise UpstreamError("the provider's answer is no response: a call's arguments are no text")
            if place.side == "tool_call":
                calls.append(ToolCall(place.name, place.value))
            else:
                output.append(place.value)
        return replace(turn, output=tuple(output), tool_calls=tuple(calls))

    def signed(self, answer: Body) -> Collection[int]:
        """None."""
        return ()

    def write_answer(self, answer: Body, output: Sequence[str], arguments: Sequence[str]) -> Body:
        """The answer with other texts and arguments, changed in place."""
        texts, calls = iter(output), iter(arguments)
        for place in list(answered(answer)):
            place.write(next(calls if place.side == "tool_call" else texts))
        return answer

    def override(self, body: Body, text: str, answer: Body | None = None) -> Body:
        """A response of one message that says `text`."""
        return responses_reply.override(body, text, answer or {})

    def streaming(self, body: Body) -> ResponsesStream:
        """A new stream of events."""
        return ResponsesStream(body)


def _validate_item(item: Any, where: str) -> None:
    if not isinstance(item, dict):
        raise BadRequest(f"'{where}' must be an object", param=where)
    if not isinstance(item.get("type") or "", str):
        raise BadRequest(f"'{where}.type' must be a string", param=f"{where}.type")
    if kind_of(item) == "message":
        validate_message(item, where)


def _reply(item: Body) -> str | None:
    """What the model says in a message, as one text, to tell whether it is a reply of the policy's."""
    content = item.get("content")
    if role_of(item) not in MODEL_ROLES or not isinstance(content, list):
        return content if isinstance(content, str) else None
    return "\n".join(str(part.get("text") or part.get("refusal") or "") for part in content if isinstance(part, dict))


def _unread(node: Any, depth: int = 0) -> Iterator[str]:
    """The kind of each part or item at or below a node that is no text."""
    if depth > MAX_DEPTH + 1:  # nobody reads so deep: the request is refused
        return
    kind = node.get("type") if isinstance(node, dict) else None
    if isinstance(kind, str) and kind in UNREAD:
        yield UNREAD[kind]
    elif isinstance(node, (dict, list)):
        for one in node.values() if isinstance(node, dict) else node:
            yield from _unread(one, depth + 1)
