"""The shapes that chat handlers take and give: strings, messages, and completions, as dicts or as a library's objects.

Messages and completions are OpenAI's, and LangChain's messages, which say `type` instead of `role`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guard.decorator.place import Path, described, get, has, put
from guard.errors import SettingsError
from guard.metrics.turn import TOOL_ROLES, Message, ToolCall, Turn, unread_kind

#: LangChain's names of the roles.
ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant"}
#: Fields of an answer that hold text which a person may see.
TEXT_FIELDS = ("content", "refusal", "reasoning_content", "reasoning")


@dataclass(frozen=True, slots=True)
class Slot:
    """A text and where it stands. In a stream, slots with the same `key` are pieces of one text."""

    path: Path
    text: str
    key: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class CallSlot:
    """A tool call and where its arguments stand; `parsed` where they stand there as an object, not as JSON text."""

    path: Path
    call: ToolCall
    parsed: bool

    def put(self, answer: Any, arguments: str) -> Any:
        """The answer with other arguments. Raises SettingsError where a redaction left no JSON of them."""
        if arguments == self.call.arguments:
            return answer
        try:
            return put(answer, self.path, json.loads(arguments) if self.parsed else arguments)
        except json.JSONDecodeError:
            raise SettingsError(
                f"redacted, the arguments of '{self.call.name}' are no JSON; use override in the stage tool_call"
            ) from None


def is_message(value: object) -> bool:
    """Whether this is one message of a chat, and no list of them."""
    return has(value, "content") and (has(value, "role") or has(value, "type"))


def is_completion(value: object) -> bool:
    """Whether this is a chat completion or a chunk of one."""
    return has(value, "choices") and isinstance(get(value, ("choices",)), (list, tuple))


def read_messages(messages: Sequence[Any], labels: Mapping[str, str]) -> Turn:
    """The turn that a list of messages is."""
    called: dict[str, str] = {}
    read = []
    for message in messages:
        tool = called.get(str(_field(message, "tool_call_id")), "") if _role(message) in TOOL_ROLES else ""
        read.append(Message(_role(message), tuple(slot.text for slot in _content(message)), tool))
        for call in _field(message, "tool_calls") or ():
            # OpenAI's calls name their function, LangChain's say its name themselves.
            name, own = _field(_field(call, "function") or call, "name"), _field(call, "id")
            called |= {own: name} if isinstance(own, str) and isinstance(name, str) else {}
    unread = dict.fromkeys(kind for message in messages for kind in _media(message))
    return Turn(messages=tuple(read), labels=labels, unread=tuple(unread))


def write_messages(messages: Sequence[Any], after: Turn) -> list[Any]:
    """The messages with the texts of `after`."""
    return [_write(message, new) for message, new in zip(messages, after.messages, strict=True)]


def answer_slots(answer: Any) -> list[Slot] | None:
    """The texts of an answer or of a stream's chunk; None where its shape is not known."""
    if answer is None:
        return []
    if isinstance(answer, str):
        return [Slot((), answer)]
    if not is_completion(answer) and not is_message(answer):
        return None
    return [slot for key, at, message in _answers(answer) for slot in _texts(message, at, key)]


def call_slots(answer: Any) -> list[CallSlot]:
    """The tool calls of a whole answer: OpenAI's, with JSON text as arguments, and LangChain's, with an object."""
    found = []
    for _, at, message in _answers(answer):
        calls = get(message, ("tool_calls",)) if has(message, "tool_calls") else None
        for number, call in enumerate(calls or ()):
            path = (*at, "tool_calls", number)
            if has(call, "function"):
                name, arguments = get(call, ("function", "name")), get(call, ("function", "arguments"))
                found.append(CallSlot((*path, "function", "arguments"), ToolCall(name, arguments), parsed=False))
            elif has(call, "args"):
                text = json.dumps(get(call, ("args",)), ensure_ascii=False)
                found.append(CallSlot((*path, "args"), ToolCall(get(call, ("name",)), text), parsed=True))
    return found


def calls_tools(chunk: Any) -> bool:
    """Whether a stream's chunk holds a piece of a tool call."""
    messages = [message for _, _, message in _answers(chunk)]
    pieces = ("tool_calls", "tool_call_chunks", "function_call")
    return any(get(message, (name,)) for message in messages for name in pieces if has(message, name))


def saying(answer: Any, text: str) -> Any:
    """An answer or chunk of the same shape that says `text` and nothing else."""
    if isinstance(answer, str):
        return text
    if is_completion(answer):
        choice = get(answer, ("choices", 0))
        where = "delta" if has(choice, "delta") else "message"
        choice = put(choice, (where,), saying(get(choice, (where,)), text))
        for name, value in (("finish_reason", "content_filter"), ("logprobs", None)):
            if has(choice, name):
                choice = put(choice, (name,), value)
        return put(answer, ("choices",), [choice])
    if isinstance(answer, Mapping):
        return {"role": answer.get("role", "assistant"), "content": text}
    said = {"content": text}
    if has(answer, "role"):
        said["role"] = answer.role or "assistant"
    return type(answer)(**said)


def _answers(answer: Any) -> Iterator[tuple[int, Path, Any]]:
    """The messages of an answer: the choice's number, where it stands, and the message itself."""
    if is_completion(answer):
        for place, choice in enumerate(get(answer, ("choices",))):
            if not has(choice, "message") and not has(choice, "delta"):
                raise _unread(f"choices.{place}", choice)
            for where in ("message", "delta"):
                message = get(choice, (where,)) if has(choice, where) else None
                if message is not None:
                    number = get(choice, ("index",)) if has(choice, "index") else place
                    yield number, ("choices", place, where), message
    elif is_message(answer):
        yield 0, (), answer


def _texts(message: Any, at: Path, choice: int) -> Iterator[Slot]:
    for name in TEXT_FIELDS:
        if has(message, name):
            yield from (Slot((*at, *slot.path), slot.text, (choice, name)) for slot in _content(message, name))


def _content(message: Any, name: str = "content") -> list[Slot]:
    """The texts of a message, as a string or as a list of parts; what is not text is left out.

    Raises SettingsError where the shape is not known: it may hold text that nobody would read.
    """
    content = get(message, (name,))
    if isinstance(content, str):
        return [Slot((name,), content)]
    if content is not None and not isinstance(content, (list, tuple)):
        raise _unread(name, content)
    found = []
    for number, part in enumerate(content or ()):
        if isinstance(part, str):
            found.append(Slot((name, number), part))
        elif has(part, "text") and isinstance(get(part, ("text",)), str):
            found.append(Slot((name, number, "text"), get(part, ("text",))))
        elif not has(part, "type") or (has(part, "text") and get(part, ("text",)) is not None):
            raise _unread(f"{name}.{number}", part)
    return found


def _media(message: Any) -> Iterator[str]:
    """The kind of each part that is no text. What is no part at all `_content` refuses."""
    content = get(message, ("content",))
    for part in content if isinstance(content, (list, tuple)) else ():
        kind = unread_kind(get(part, ("type",))) if has(part, "type") else "other"
        if not isinstance(part, str) and (kind != "other" or not has(part, "text")):
            yield kind


def _unread(name: str, value: object) -> SettingsError:
    return SettingsError(
        f"'{name}' is neither text, parts of type text nor a message ({described(value)}), so it would go unread; "
        "give it one of these shapes, or say where the text is (protect's input, output)"
    )


def _write(message: Any, new: Message) -> Any:
    for slot, text in zip(_content(message), new.parts, strict=True):
        if text != slot.text:
            message = put(message, slot.path, text)
    return message


def _field(value: Any, name: str) -> Any:
    """A field, or None where there is none."""
    return get(value, (name,)) if has(value, name) else None


def _role(message: Any) -> str:
    role = get(message, ("role",)) if has(message, "role") else get(message, ("type",))
    return ROLES.get(role, str(role))
