"""OpenAI's chat completions on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from time import time
from typing import Any
from uuid import uuid4

from guard.errors import BadRequest, TooLarge, UpstreamError
from guard.metrics.turn import Message, ToolCall, Turn, is_text_part, read_messages, unread_parts
from guard.proxy.wire import openai
from guard.proxy.wire.around import OF_ANSWER, OF_CHOICE, Spelt, around, spelt
from guard.proxy.wire.beside import beside, every
from guard.proxy.wire.chat_stream import FILTERED, ChatStream
from guard.proxy.wire.fields import tools_of, unknown, with_tools
from guard.proxy.wire.files import text_files
from guard.proxy.wire.history import without_refused, without_restored
from guard.proxy.wire.leaves import Body, arguments, texts
from guard.proxy.wire.media import media
from guard.proxy.wire.wire import Place
from guard.stages.placeholders import Placeholders

#: Where some providers say a choice's text once more, beside its message. Nobody reads it, so it stays here.
BESIDE = ("delta", "text")


class Chat:
    """Chat completions: messages in, choices with a message each out."""

    route = "/v1/chat/completions"
    path = "chat/completions"

    labels = staticmethod(openai.labels)
    error = staticmethod(openai.error)

    def validate(self, body: Body, max_messages: int) -> None:
        """Refuse a body whose shape is not understood."""
        openai.validate_model(body)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise BadRequest("'messages' must be an array with at least one message", param="messages")
        if len(messages) > max_messages:
            raise TooLarge(f"{len(messages):,} messages are more than {max_messages:,}", param="messages")
        for number, message in enumerate(messages):
            validate_message(message, f"messages[{number}]")

    def streams(self, body: Body) -> bool:
        """Whether the caller wants chunks."""
        return bool(body.get("stream"))

    def without_refused(self, body: Body, replies: Collection[str]) -> Body:
        """The body without the turns that Guard answered itself."""
        return {**body, "messages": without_refused(body["messages"], replies)}

    def read_request(self, body: Body, labels: Mapping[str, str]) -> Turn:
        """The turn that a request asks for, before it is answered."""
        return Turn(
            messages=tuple(map(_with_beside, read_messages(body["messages"]), body["messages"])),
            documents=tuple(str(document.value) for document in _documents(body)),
            tools=tools_of(body),
            labels=labels,
        )

    def unread(self, body: Body) -> Mapping[str, int]:
        """How many parts of the messages are no text, and how many fields are not known, by kind."""
        counted = Counter((*unread_parts(body["messages"]), *unknown(body, "messages", "documents")))
        return counted - Counter(file=len(list(text_files(body["messages"]))))

    def unread_answer(self, answer: Body) -> Mapping[str, int]:
        """How many parts of the choices' messages are no text, by kind."""
        return Counter(kind for message in _messages(answer) for _, kind in media(message))

    def write_request(self, body: Body, before: Turn, after: Turn, placeholders: Placeholders) -> Body:
        """The body with the texts of `after`, and without what was put back into earlier answers."""
        body = with_tools(body, before, after)
        if after.documents != before.documents:
            body = {**body, **deepcopy({name: body[name] for name in ("documents", "messages") if name in body})}
            for document, text in zip(list(_documents(body)), after.documents, strict=True):
                document.write(text)
        messages = body["messages"]
        if after.messages != before.messages:
            pairs = zip(messages, before.messages, after.messages, strict=True)
            messages = [_write_message(raw, old, new) for raw, old, new in pairs]
        messages = without_restored(messages, placeholders)
        return body if messages is body["messages"] else {**body, "messages": messages}

    def read_answer(self, answer: Body, turn: Turn) -> Turn:
        """The turn with the texts and calls of every choice."""
        calls = (
            ToolCall(str(holder.get("name", "")), _argument(holder, key))
            for message in _messages(answer)
            for _, holder, key in arguments(message)
        )
        output = tuple(holder[key] for _, holder, key in _texts(answer))
        return replace(turn, output=output, tool_calls=tuple(calls))

    def signed(self, answer: Body) -> Collection[int]:
        """None."""
        return ()

    def write_answer(self, answer: Body, output: Sequence[str], arguments: Sequence[str]) -> Body:
        """The answer with other texts and arguments, changed in place."""
        _write(answer, iter(output), iter(arguments))
        return answer

    def override(self, body: Body, text: str, answer: Body | None = None) -> Body:
        """A completion of one choice that says `text`."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": FILTERED, "logprobs": None}
        # What the provider charges for was used, whoever gets to see it.
        usage = answer.get("usage") if answer else {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return {
            "id": f"chatcmpl-guard-{uuid4().hex[:24]}",
            "object": "chat.completion",
            "created": int(time()),
            "model": (answer or body).get("model") or body["model"],
            "choices": [choice],
            "usage": usage,
        }

    def streaming(self, body: Body) -> ChatStream:
        """A new stream of chunks."""
        return ChatStream(body["model"])


def validate_message(message: object, where: str) -> None:
    """Refuse a message whose shape is not understood. Raises BadRequest that names the field below `where`."""
    if not isinstance(message, dict):
        raise BadRequest(f"'{where}' must be an object", param=where)
    if not isinstance(message.get("role"), str):
        raise BadRequest(f"'{where}.role' must be a string", param=f"{where}.role")
    content = message.get("content")
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise BadRequest(f"'{where}.content' must be a string or an array of parts", param=f"{where}.content")
    for place, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            name = f"{where}.content[{place}]"
            raise BadRequest(f"'{name}' must be an object with a type", param=name)
        if "text" in part and not isinstance(part["text"], str):
            name = f"{where}.content[{place}].text"
            raise BadRequest(f"'{name}' must be a string", param=name)


def _documents(body: Body) -> Iterator[Place]:
    """What was retrieved for this request, in the field in which vLLM, Cohere and others take it; then text files."""
    for holder, key in every(body, "documents"):
        yield Place((), holder, key)
    yield from text_files(body["messages"])


def _with_beside(message: Message, raw: Body) -> Message:
    """The message with what else there is to read in it, behind the texts of its content."""
    more = tuple(holder[key] for holder, key in beside(raw))
    return replace(message, parts=(*message.parts, *more)) if more else message


def _write_message(raw: Body, old: Message, new: Message) -> Body:
    if old == new:
        return raw
    raw, new_texts = deepcopy(raw), iter(new.parts)
    more = list(beside(raw))
    content = raw.get("content")
    if isinstance(content, str):
        raw["content"] = next(new_texts)
    for part in content if isinstance(content, list) else ():
        if is_text_part(part):
            part["text"] = next(new_texts)
    for (holder, key), text in zip(more, new_texts, strict=True):
        holder[key] = text
    return raw


def _texts(answer: Body) -> Iterator[tuple[Body, Any, str | int]]:
    """Every text of an answer: the choice that it belongs to, if any, and what holds it under which key."""
    for choice, message in zip(answer["choices"], _messages(answer), strict=True):
        for field in BESIDE:
            choice.pop(field, None)
        said = [*texts(message), *around(choice, OF_CHOICE)]
        yield from ((choice, holder, key) for _, holder, key in said)
        if spelt(choice) not in ("", *(holder[key] for _, holder, key in said)):
            yield choice, Spelt(choice), ""
    yield from (({}, holder, key) for _, holder, key in around(answer, OF_ANSWER))


def _write(answer: Body, new_texts: Iterator[str], new_arguments: Iterator[str]) -> None:
    for choice, holder, key in list(_texts(answer)):
        _put(choice, holder, key, next(new_texts))
    for choice, message in zip(answer["choices"], _messages(answer), strict=True):
        for _, holder, key in arguments(message):
            _put(choice, holder, key, next(new_arguments))


def _put(choice: Body, holder: Any, key: str | int, text: str) -> None:
    if text != holder[key]:
        holder[key] = text
        # The tokens' log probabilities spell the original out.
        choice.pop("logprobs", None)


def _messages(answer: Body) -> list[Body]:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise UpstreamError("the provider's answer is no chat completion: it has no choices")
    messages = [choice.get("message") for choice in choices]
    if not all(isinstance(message, dict) for message in messages):
        raise UpstreamError("the provider's answer is no chat completion: a choice has no message")
    return messages  # type: ignore[return-value]


def _argument(holder: Body, key: str) -> str:
    if not isinstance(holder.get(key), str):
        raise UpstreamError("the provider's answer is no chat completion: a tool call has no arguments")
    return holder[key]
