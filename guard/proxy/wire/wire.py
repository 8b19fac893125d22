"""What a protocol has to say of itself, so that one handler and one stream serve them all.

A protocol is a `Wire`: from a body to a turn, and from a turn back to a body. What it streams is a `Streaming`: one for
each answer, which sees its events as they come and as they leave. Neither measures or decides anything.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from guard.errors import GuardError
from guard.metrics import Side, Turn
from guard.proxy.wire.leaves import Body
from guard.stages.placeholders import Placeholders

#: What `Wire.unread` calls that part of a conversation which the provider keeps, so that Guard does not see it again.
EARLIER = "earlier"


@dataclass(frozen=True, slots=True)
class Place:
    """A text in an event, `holder[key]`, or the part of one that this event brings.

    `text` says which of the answer's texts it goes on with; places with the same one are put together in their order.
    `side` is `output` or `tool_call`; of a call, `name` is what this event brings of the tool's name, and `key` may be
    missing in `holder`. `owner` is the object whose `logprobs` are emptied when the text is changed, since they
    spell it out, and whose `finish_reason` does not hold where the text is cut off. Nothing is put back into a text
    that is `signed` by the provider.
    """

    text: Hashable
    holder: Any
    key: str | int
    side: Side = "output"
    name: str = ""
    owner: Body | None = None
    signed: bool = False

    @property
    def value(self) -> object:
        """What stands there; an empty string where there is nothing."""
        value = self.holder.get(self.key) if isinstance(self.holder, dict) else self.holder[self.key]
        return "" if value is None else value

    def write(self, text: str) -> None:
        """Put another text there; nothing is touched where it is the same."""
        if text != self.value:
            self.holder[self.key] = text
            if self.owner is not None and self.owner.get("logprobs"):
                self.owner["logprobs"] = [] if isinstance(self.owner["logprobs"], list) else None

    def cut(self, text: str) -> None:
        """Put there what is left of a text that is cut off: the answer goes on otherwise."""
        self.write(text)
        if self.owner is not None and self.owner.get("finish_reason"):
            self.owner["finish_reason"] = None


class Streaming(Protocol):
    """One streamed answer. Events are the JSON objects as they came, in their order.

    `read` is asked of every event first, then the others; `left` when it goes out, with what may be seen of its texts.
    Each raises UpstreamError for an event whose shape is not understood: then it does not go out, and the stream ends.
    """

    #: What is sent after the last event, such as `data: [DONE]`.
    end: bytes

    def read(self, event: Body) -> Iterable[Place]:
        """Every text that the event adds to the answer, whatever field it stands in, and every piece of a tool call."""
        ...

    def unread(self, event: Body) -> Iterable[tuple[Hashable, str]]:
        """What the event brings that is no text: which part of the answer it is, or goes on with, and its kind."""
        ...

    def repeats(self, event: Body) -> Iterable[Place]:
        """Every text or call's arguments that the event says once more, whole: the caller gets what was let out of it.

        One whose `text` no event has added to is read here like any other.
        """
        ...

    def ended(self, event: Body) -> Iterable[Hashable]:
        """The texts and calls that are over with this event, or interrupted by it. They are read to their end now.

        Otherwise the last of a text would wait, and all events behind it, until the stream is over. A text may go on
        later, but what it said so far has gone out by then; a call may not.
        """
        ...

    def left(self, event: Body) -> None:
        """Take notice of what the caller has seen: an override has to go on from there."""
        ...

    def override(self, text: str) -> Iterable[Body]:
        """The events that end the answer with `text`, after those that have left; a whole answer where none has."""
        ...

    def broken(self, error: GuardError) -> Iterable[Body]:
        """The events that tell of an error after the stream began."""
        ...

    def encode(self, event: Body) -> bytes:
        """The event as it is sent."""
        ...


class Wire(Protocol):
    """One protocol. Bodies are JSON objects; what is not text is never touched, and goes through as it came."""

    #: The route that it is asked at, and the path that the provider is asked at, below its base URL.
    route: str
    path: str

    def validate(self, body: Body, max_messages: int) -> None:
        """Refuse a body whose shape is not understood. Raises BadRequest that names the field, or TooLarge."""
        ...

    def labels(self, body: Body) -> dict[str, str]:
        """The labels that the request carries in the protocol's own fields: `user`, `session`."""
        ...

    def streams(self, body: Body) -> bool:
        """Whether the caller wants events."""
        ...

    def without_refused(self, body: Body, replies: Collection[str]) -> Body:
        """The body without earlier turns that end with one of these replies: Guard's own. See history.py."""
        ...

    def read_request(self, body: Body, labels: Mapping[str, str]) -> Turn:
        """The turn that a request asks for: every text of it on some side."""
        ...

    def unread(self, body: Body) -> Mapping[str, int]:
        """How many parts of the request no metric can read, by kind: `image`, `audio`, …, and EARLIER."""
        ...

    def unread_answer(self, answer: Body) -> Mapping[str, int]:
        """The same of an answer that `read_answer` understands: what a model made that is no text."""
        ...

    def write_request(self, body: Body, before: Turn, after: Turn, placeholders: Placeholders) -> Body:
        """The body with the texts of `after`, where `before` is what was read from it.

        What was put back into earlier answers and calls is taken out of them again. The same object where nothing
        changes.
        """
        ...

    def read_answer(self, answer: Body, turn: Turn) -> Turn:
        """The turn with the provider's whole answer. Raises UpstreamError where the answer is not understood."""
        ...

    def signed(self, answer: Body) -> Collection[int]:
        """Which of the texts of `read_answer`, by number, the provider signed: nothing is put back into them."""
        ...

    def write_answer(self, answer: Body, output: Sequence[str], arguments: Sequence[str]) -> Body:
        """The answer, perhaps the same object, with other texts and calls' arguments, in the order of `read_answer`."""
        ...

    def override(self, body: Body, text: str, answer: Body | None = None) -> Body:
        """A whole answer that says `text` instead of the model, or of the `answer` that it gave.

        Raises Filtered where the protocol has no way to say a text.
        """
        ...

    def streaming(self, body: Body) -> Streaming:
        """A new streamed answer to this request."""
        ...

    def error(self, error: GuardError) -> Body:
        """What the caller is told of an error: never more than its message."""
        ...
