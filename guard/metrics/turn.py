"""One turn of a conversation, as every metric sees it, whatever the protocol it came by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from guard.metrics.definitions import texts_of

Side = Literal["input", "output", "tool_call", "tool_result", "retrieval"]
SIDES: tuple[Side, ...] = get_args(Side)
#: The sides of a request, in the order they are checked, and those of its answer.
ASKED: tuple[Side, ...] = ("tool_result", "retrieval", "input")
ANSWERED: tuple[Side, ...] = ("output", "tool_call")

#: Written by the app's developer, so trusted; read only on request.
TRUSTED_ROLES = frozenset({"system", "developer"})
#: Said by the model in an earlier turn, and read as output then.
MODEL_ROLES = frozenset({"assistant"})
TOOL_ROLES = frozenset({"tool", "function"})
NO_INPUT = TRUSTED_ROLES | MODEL_ROLES | TOOL_ROLES
#: Stands in `Turn.reads` for the tool definitions.
TOOLS = "tools"

#: The kinds of what goes in or comes out unread: media; a `document` where no stage reads it; `earlier` turns and a
#: `prompt` that the provider keeps; a `field` of the request that Guard does not know; and any `other` part.
UNREAD = ("image", "audio", "video", "file", "document", "earlier", "prompt", "field", "other")
#: Their kinds by the types of parts, in every protocol.
_KINDS = {
    "image": ("image", "image_url", "input_image", "output_image", "computer_screenshot", "image_generation_call"),
    "audio": ("audio", "audio_url", "input_audio", "output_audio"),
    "video": ("video", "video_url", "input_video", "output_video"),
    "file": ("file", "input_file", "document", "container_upload"),
}
_OF_TYPES = {name: kind for kind, names in _KINDS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `parts` are its texts in order (a plain string is one part); what is not text is left out.

    `tool` is the tool that it is from; empty where it is from none, or that is not known.
    """

    role: str
    parts: tuple[str, ...]
    tool: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wants made; `arguments` is the JSON text as the model wrote it."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What goes in and what comes out.

    `messages` is the conversation so far; `output` the model's new texts (one a choice), `tool_calls` its new calls;
    `documents` what was retrieved; `tools` the tool definitions offered, as they came; `labels` say whose turn it is
    (`app`, `user`, `session`, `model`). `reads` are the roles whose messages are input too, though the app or the model
    wrote them; with `tools` among them the tool definitions are. `unread` are the kinds of what else goes in, which
    nobody reads: of UNREAD, each once; `unread_output` are those of what else came out.
    """

    messages: tuple[Message, ...] = ()
    output: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    documents: tuple[str, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    unread_output: tuple[str, ...] = ()

    def passages(self, side: Side) -> tuple[str, ...]:
        """The texts of one side, in order. A span's `passage` is an index into this tuple.

        `input` is every message that neither the app's developer nor the model nor a tool wrote; a role that is not
        known is not trusted, so it is input too. Tool definitions come first where they are read.
        """
        if side == "output":
            return self.output
        if side == "retrieval":
            return self.documents
        if side == "tool_call":
            return tuple(call.arguments for call in self.tool_calls)
        said = tuple(part for message in self.messages_of(side) for part in message.parts)
        if side == "input" and TOOLS in self.reads:
            return (*(one.value for one in texts_of(self.tools)), *said)
        return said

    def holds(self, side: Side) -> bool:
        """Whether there is something on a side to decide on, be it only that something there cannot be read."""
        if self.passages(side):
            return True
        if side == "output":
            return bool(self.unread_output)
        return bool(self.unread) and (side == "input" or bool(self.messages_of(side)))

    def authors(self, side: Side) -> tuple[tuple[str, str], ...]:
        """Who wrote each of `passages(side)`: a message's role, and a tool's name; empty where there is none."""
        if side == "output":
            return (("assistant", ""),) * len(self.output)
        if side == "retrieval":
            return (("", ""),) * len(self.documents)
        if side == "tool_call":
            return tuple(("assistant", call.name) for call in self.tool_calls)
        said = ((one.role, one.tool) for one in self.messages_of(side) for _ in one.parts)
        if side == "input" and TOOLS in self.reads:
            return (*((TOOLS, "") for _ in texts_of(self.tools)), *said)
        return tuple(said)

    def messages_of(self, side: Side) -> list[Message]:
        """The messages that stand on a side; asked often of conversations of hundreds, so each costs one look-up."""
        if side == "input":
            others = NO_INPUT - self.reads
            return [message for message in self.messages if message.role not in others]
        tools = TOOL_ROLES - self.reads if side == "tool_result" else ()
        return [message for message in self.messages if message.role in tools]

    @property
    def characters(self) -> int:
        """How much text it holds, the app's own included, without definitions of tools: to walk them takes longest."""
        return sum(map(len, self._said))

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text it holds, the app's own and definitions of tools included."""
        return (*(one.value for one in texts_of(self.tools)), *self._said)

    @property
    def _said(self) -> tuple[str, ...]:
        said = (part for message in self.messages for part in message.parts)
        return (*said, *self.output, *self.documents, *(call.arguments for call in self.tool_calls))

    def with_passages(self, side: Side, texts: Sequence[str]) -> Turn:
        """The same turn with the texts of one side replaced, one for one and in the order of `passages(side)`."""
        return self.with_pieces(side, [(text,) for text in texts])

    def with_pieces(self, side: Side, pieces: Sequence[Sequence[str]]) -> Turn:
        """The same with any number of texts in the place of each, none included; of tool definitions all or none."""
        if side == "output":
            return replace(self, output=tuple(text for some in pieces for text in some))
        if side == "retrieval":
            return replace(self, documents=tuple(text for some in pieces for text in some))
        if side == "tool_call":
            pairs = zip(self.tool_calls, pieces, strict=True)
            return replace(self, tool_calls=tuple(ToolCall(call.name, text) for call, some in pairs for text in some))
        rest, tools, reads = iter(pieces), self.tools, self.reads
        if side == "input" and TOOLS in reads:
            tools = deepcopy(tools)
            given = [(one, next(rest)) for one in texts_of(tools)]
            if given and not any(some for _, some in given):
                reads -= {TOOLS}
            else:
                for one, some in given:
                    one.write("".join(some))
        roles = {message.role for message in self.messages_of(side)}
        messages = tuple(
            replace(message, parts=tuple(text for _ in message.parts for text in next(rest)))
            if message.role in roles
            else message
            for message in self.messages
        )
        return replace(self, messages=messages, tools=tools, reads=reads)

    def reading(self, roles: Collection[str]) -> Turn:
        """The same turn with these roles' messages as input too."""
        return self if self.reads == frozenset(roles) else replace(self, reads=frozenset(roles))

    def with_history(self, change: Callable[[str], str]) -> Turn:
        """The same turn with every text that the model or a tool said earlier changed."""
        earlier = MODEL_ROLES | TOOL_ROLES
        messages = (
            replace(one, parts=tuple(map(change, one.parts))) if one.role in earlier else one for one in self.messages
        )
        return replace(self, messages=tuple(messages))

    @classmethod
    def of(cls, value: Turn | str | Sequence[Mapping[str, Any]], side: Side = "input", **labels: str) -> Turn:
        """A turn from what callers have at hand: a turn, a text on `side`, or a list of chat messages."""
        if isinstance(value, Turn):
            return replace(value, labels={**value.labels, **labels}) if labels else value
        if isinstance(value, str):
            return _of_text(value, side, labels)
        return cls.of_messages(value, labels=labels)

    @classmethod
    def of_messages(cls, messages: Sequence[Mapping[str, Any]], **sides: Any) -> Turn:
        """A turn of chat messages, with the kinds of their parts that are no text; `sides` are its other fields."""
        unread = tuple(dict.fromkeys(unread_parts(messages)))
        return cls(read_messages(messages), unread=unread, **sides)


def side_of(role: str) -> Side | None:
    """Which side a message of this role stands on; None for those the app or the model itself wrote."""
    if role in TOOL_ROLES:
        return "tool_result"
    return None if role in NO_INPUT else "input"


def read_messages(messages: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Chat messages, those of tools with the name of the tool that their call before them names."""
    called: dict[str, str] = {}
    read = []
    for message in messages:
        one = read_message(message)
        if one.role in TOOL_ROLES:
            name = called.get(str(message.get("tool_call_id"))) or message.get("name")
            one = replace(one, tool=name if isinstance(name, str) else "")
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping) and isinstance(call.get("id"), str):
                # Some providers number each answer's calls anew, so the nearest call before a result is its own.
                called[call["id"]] = _called(call)
        read.append(one)
    return tuple(read)


def _called(call: Mapping[str, Any]) -> str:
    """The name of the tool in a call; empty where it has none."""
    named = call.get("function") or call.get("custom")
    name = named.get("name") if isinstance(named, Mapping) else None
    return name if isinstance(name, str) else ""


def read_message(message: Mapping[str, Any]) -> Message:
    """A chat message's role and texts. Parts that are no text (images, audio, files) are not read."""
    content = message.get("content")
    if isinstance(content, str):
        parts: tuple[str, ...] = (content,)
    elif isinstance(content, Sequence):
        parts = tuple(part["text"] for part in content if is_text_part(part))
    else:
        parts = ()
    return Message(str(message.get("role", "user")), parts)


def unread_parts(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The kind of each part of chat messages that is no text, whatever text somebody put beside it."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, (list, tuple)) else ():
            if isinstance(part, Mapping) and (str(part.get("type")) in _OF_TYPES or not is_text_part(part)):
                yield unread_kind(part.get("type"))


def unread_kind(name: object) -> str:
    """The kind of a part of this type that is no text."""
    return media_kind(str(name)) or "other"


def media_kind(name: str) -> str | None:
    """The kind of a part of this type where it is known to be no text."""
    return _OF_TYPES.get(name)


def is_text_part(part: object) -> bool:
    """Whether a part of a message's content holds text that can be read and replaced."""
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)


def _of_text(text: str, side: Side, labels: Mapping[str, str]) -> Turn:
    if side == "output":
        return Turn(output=(text,), labels=labels)
    if side == "retrieval":
        return Turn(documents=(text,), labels=labels)
    if side == "tool_call":
        return Turn(tool_calls=(ToolCall("", text),), labels=labels)
    return Turn(messages=(Message("user" if side == "input" else "tool", (text,)),), labels=labels)
