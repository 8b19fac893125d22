"""OpenAI's chat completions on the wire: from a body to a turn, and from a turn back to a body.

What is not text is never touched: unknown fields, images and tools go through as they came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from time import time
from uuid import uuid4

from guard.errors import BadRequest, TooLarge, UpstreamError
from guard.metrics.turn import Message, ToolCall, Turn, is_text_part, read_message
from guard.proxy.leaves import Body, arguments, texts

FILTERED = "content_filter"
#: Where some providers say a choice's text once more, beside its message or delta. Nobody reads it, so it stays here.
BESIDE_MESSAGE, BESIDE_DELTA = ("delta", "text"), ("message", "text")


def validate(body: Body, max_messages: int) -> None:
    """Refuse a body whose shape is not understood. Raises BadRequest that names the field."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise BadRequest("'model' must be the name of a model", param="model")
    if not isinstance(body.get("stream", False), (bool, type(None))):
        raise BadRequest("'stream' must be true or false", param="stream")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be an array with at least one message", param="messages")
    if len(messages) > max_messages:
        raise TooLarge(f"{len(messages):,} messages are more than {max_messages:,}", param="messages")
    for number, message in enumerate(messages):
        validate_message(message, f"messages[{number}]")


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


def read_request(body: Body, labels: Mapping[str, str]) -> Turn:
    """The turn that a request asks for, before it is answered."""
    tools = body.get("tools")
    return Turn(
        messages=tuple(read_message(message) for message in body["messages"]),
        documents=tuple(holder[key] for _, holder, key in texts(_documents(body))),
        tools=tuple(tool for tool in tools if isinstance(tool, dict)) if isinstance(tools, list) else (),
        labels=labels,
    )


def unread(body: Body) -> int:
    """How many parts of the messages are no text (images, audio, files), so that no metric read them."""
    contents = (message.get("content") for message in body["messages"])
    return sum(not is_text_part(part) for content in contents if isinstance(content, list) for part in content)


def write_request(body: Body, before: Turn, after: Turn) -> Body:
    """The body with the texts of `after`; the same object where nothing changed since `before`."""
    if after.documents != before.documents:
        documents = deepcopy(_documents(body))
        for (_, holder, key), text in zip(list(texts(documents)), after.documents, strict=True):
            holder[key] = text
        body = {**body, **documents}
    if after.messages == before.messages:
        return body
    pairs = zip(body["messages"], before.messages, after.messages, strict=True)
    return {**body, "messages": [_write_message(raw, old, new) for raw, old, new in pairs]}


def _documents(body: Body) -> Body:
    """What was retrieved for this request, in the field in which vLLM, Cohere and others take it."""
    return {"documents": body["documents"]} if body.get("documents") else {}


def _write_message(raw: Body, old: Message, new: Message) -> Body:
    if old == new:
        return raw
    if isinstance(raw["content"], str):
        return {**raw, "content": new.parts[0]}
    texts = iter(new.parts)
    return {
        **raw,
        "content": [{**part, "text": next(texts)} if is_text_part(part) else part for part in raw["content"]],
    }


def read_answer(answer: Body, turn: Turn) -> Turn:
    """The turn with the provider's whole answer. Raises UpstreamError where the answer is not understood."""
    output: list[str] = []
    calls: list[ToolCall] = []
    for message in _messages(answer):
        output.extend(holder[key] for _, holder, key in texts(message))
        calls.extend(
            ToolCall(str(holder.get("name", "")), _argument(holder, key)) for _, holder, key in arguments(message)
        )
    return Turn(turn.messages, tuple(output), tuple(calls), turn.documents, turn.tools, turn.labels)


def write_answer(answer: Body, output: Sequence[str], changed: Sequence[str]) -> Body:
    """The answer with other texts and tool-call arguments, in the order of `read_answer`. Changes it in place."""
    new_texts, new_arguments = iter(output), iter(changed)
    for choice, message in zip(answer["choices"], _messages(answer), strict=True):
        _leave_out(choice, BESIDE_MESSAGE)
        for _, holder, key in list(texts(message)):
            text = next(new_texts)
            if text != holder[key]:
                # The tokens' log probabilities spell the original out.
                choice.pop("logprobs", None)
            holder[key] = text
        for _, holder, key in arguments(message):
            holder[key] = next(new_arguments)
    return answer


def override(model: str, text: str) -> Body:
    """A whole answer that says `text` instead of the model."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": FILTERED, "logprobs": None}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {**_head("chat.completion", model), "choices": [choice], "usage": usage}


def override_chunks(
    model: str, text: str, *, like: Body | None = None, released: Mapping[int, bool] | None = None
) -> Iterator[Body]:
    """The end of a stream that says `text` instead of the model: for each choice its text, then its finish.

    `like` is a chunk of the stream so far, whose id the new ones carry on; `released` tells for each choice that is
    still open whether some of its text has gone out already.
    """
    head = _head("chat.completion.chunk", model)
    if like:
        head.update({key: like[key] for key in ("id", "created", "model", "system_fingerprint") if key in like})
    released = released or {0: False}
    for index, some in released.items():
        delta = {"content": f"\n\n{text}"} if some else {"role": "assistant", "content": text}
        yield {**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
    for index in released:
        yield {**head, "choices": [{"index": index, "delta": {}, "finish_reason": FILTERED}]}


def _head(kind: str, model: str) -> Body:
    return {"id": f"chatcmpl-guard-{uuid4().hex[:24]}", "object": kind, "created": int(time()), "model": model}


def deltas(chunk: Body) -> Iterator[tuple[int, Body, Body]]:
    """Each choice of a stream's chunk: its index, the choice, and its delta. Raises UpstreamError for other shapes."""
    choices = chunk.get("choices", [])
    if not isinstance(choices, list):
        raise UpstreamError("the provider's stream is no chat completion: its choices are no array")
    for choice in choices:
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(delta, (dict, type(None))):
            raise UpstreamError("the provider's stream is no chat completion: a choice has no delta")
        if delta is None and any(choice.get(field) for field in BESIDE_DELTA):
            raise UpstreamError("the provider's stream is no chat completion: a choice says its text outside its delta")
        index = choice.get("index", 0)
        if not isinstance(index, int):
            raise UpstreamError("the provider's stream is no chat completion: a choice's index is no number")
        _leave_out(choice, BESIDE_DELTA)
        yield index, choice, delta or {}


def _leave_out(choice: Body, fields: Collection[str]) -> None:
    for field in fields:
        choice.pop(field, None)


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
