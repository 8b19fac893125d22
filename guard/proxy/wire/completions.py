"""OpenAI's older completions on the wire: prompts in, texts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from time import time
from typing import Any
from uuid import uuid4

from guard.errors import BadRequest, GuardError, UpstreamError
from guard.metrics import Turn
from guard.metrics.turn import Message
from guard.proxy import sse
from guard.proxy.wire import openai
from guard.proxy.wire.around import OF_ANSWER, Spelt, around, spelt
from guard.proxy.wire.fields import unknown
from guard.proxy.wire.leaves import Body, texts
from guard.proxy.wire.media import media
from guard.proxy.wire.wire import Place
from guard.stages.redact import Placeholders

FILTERED = "content_filter"
#: Of a choice, what no user is shown: how it ended, and its tokens, which leave when the text is changed.
UNREAD = frozenset({"finish_reason", "stop_reason", "logprobs", "prompt_logprobs"})
#: Where some providers say a choice's text once more, as in chats, and calls that nobody here waits for: left out.
BESIDE = ("message", "delta", "tool_calls", "function_call")
_NO_COMPLETION = "the provider's answer is no completion"


class Completions:
    """Completions: each choice goes on with a prompt, or says it again first (`echo`)."""

    route = "/v1/completions"
    path = "completions"

    labels = staticmethod(openai.labels)
    error = staticmethod(openai.error)

    def validate(self, body: Body, max_messages: int) -> None:
        """Refuse a body whose shape is not understood."""
        openai.validate_model(body)
        openai.validate_texts(body, "prompt", max_messages)
        if not isinstance(body.get("suffix"), (str, type(None))):
            raise BadRequest("'suffix' must be a string", param="suffix")
        if body.get("prompt_embeds"):
            raise BadRequest("'prompt_embeds' cannot be read; send the prompt as text", param="prompt_embeds")

    def streams(self, body: Body) -> bool:
        """Whether the caller wants chunks."""
        return bool(body.get("stream"))

    def without_refused(self, body: Body, replies: Collection[str]) -> Body:
        """The body itself: there are no earlier turns."""
        return body

    def read_request(self, body: Body, labels: Mapping[str, str]) -> Turn:
        """The prompts and the suffix as one message of a user's."""
        suffix = (body["suffix"],) if body.get("suffix") else ()
        return Turn((Message("user", (*openai.texts_of(body, "prompt"), *suffix)),), labels=labels)

    def unread(self, body: Body) -> Mapping[str, int]:
        """How many fields are not known. What is no text is refused."""
        return Counter(unknown(body, "prompt", "suffix"))

    def unread_answer(self, answer: Body) -> Mapping[str, int]:
        """How many parts of the choices are no text, by kind: none, in what OpenAI describes."""
        return Counter(kind for choice in _choices(answer) for _, kind in media(choice))

    def write_request(self, body: Body, before: Turn, after: Turn, placeholders: Placeholders) -> Body:
        """The body with the texts of `after`."""
        if after == before:
            return body
        written = list(after.messages[0].parts)
        if body.get("suffix"):
            body = {**body, "suffix": written.pop()}
        return openai.with_texts(body, "prompt", written)

    def read_answer(self, answer: Body, turn: Turn) -> Turn:
        """The turn with the texts of every choice."""
        return replace(turn, output=tuple(str(place.value) for place in _places(answer)))

    def signed(self, answer: Body) -> Collection[int]:
        """None: nothing is signed here."""
        return ()

    def write_answer(self, answer: Body, output: Sequence[str], arguments: Sequence[str]) -> Body:
        """The answer with other texts, changed in place."""
        for place, text in zip(list(_places(answer)), output, strict=True):
            place.write(text)
        return answer

    def override(self, body: Body, text: str, answer: Body | None = None) -> Body:
        """A completion of one choice that says `text`."""
        # What the provider charges for was used, whoever gets to see it.
        usage = answer.get("usage") if answer else {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        model = (answer or body).get("model") or body["model"]
        return {**_head(model), "choices": [_choice(0, text, FILTERED)], "usage": usage}

    def streaming(self, body: Body) -> CompletionStream:
        """A new stream of chunks."""
        return CompletionStream(body["model"])


class CompletionStream:
    """The chunks of one answer, whose id an override carries on, and the choices that are still open."""

    end = sse.DONE

    def __init__(self, model: str) -> None:
        self._head = _head(model)
        self._first = True
        self._whole: list[Place] = []
        #: Each open choice, and whether some of its text has left.
        self._open: dict[int, bool] = {}

    def read(self, event: Body) -> Iterator[Place]:
        """The texts of each choice."""
        if self._first:
            self._first = False
            self._head.update({key: event[key] for key in ("id", "created", "model") if key in event})
        # Said whole, and perhaps again with each chunk: one goes by its words.
        self._whole = [Place(("whole", holder[key]), holder, key) for _, holder, key in around(event, OF_ANSWER)]
        for choice in _choices(event):
            self._open.setdefault(choice["index"], False)
            said = ""
            for path, holder, key in _texts(choice):
                said += holder[key]
                yield Place((choice["index"], path), holder, key, owner=choice)
            if choice.get("logprobs") and spelt(choice) not in said:
                choice["logprobs"] = None  # of a text that is still to come

    def unread(self, event: Body) -> Iterator[tuple[Hashable, str]]:
        """The parts of each choice that are no text."""
        for choice in _choices(event):
            yield from (((choice["index"], path), kind) for path, kind in media(choice))

    def repeats(self, event: Body) -> Iterator[Place]:
        """What stands beside the choices."""
        return iter(self._whole)

    def ended(self, event: Body) -> Iterator[Hashable]:
        """The text of each choice that ends, as those of other prompts may go on for long, and what was said whole."""
        yield from (place.text for place in self._whole)
        for choice in _choices(event):
            if choice.get("finish_reason"):
                yield choice["index"], ("text",)

    def left(self, event: Body) -> None:
        """Note which choices have said something, and which are over."""
        for choice in _choices(event):
            if not self._open.get(choice["index"], True):
                self._open[choice["index"]] = next(_texts(choice), None) is not None
            if choice.get("finish_reason"):
                self._open.pop(choice["index"], None)

    def override(self, text: str) -> Iterator[Body]:
        """For each choice that is still open its text, then its finish."""
        choices = self._open or {0: False}
        for index, some in choices.items():
            yield {**self._head, "choices": [_choice(index, f"\n\n{text}" if some else text, None)]}
        for index in choices:
            yield {**self._head, "choices": [_choice(index, "", FILTERED)]}

    def broken(self, error: GuardError) -> Iterator[Body]:
        """An error event; that no `[DONE]` follows is how a stream says that it broke off."""
        yield openai.error(error)

    def encode(self, event: Body) -> bytes:
        """One `data:` line."""
        return sse.event(event)


def _head(model: str) -> Body:
    return {"id": f"cmpl-guard-{uuid4().hex[:24]}", "object": "text_completion", "created": int(time()), "model": model}


def _choice(index: int, text: str, finish: str | None) -> Body:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def _choices(answer: Body) -> list[Body]:
    """The choices of an answer or chunk, without what stands beside their texts. Raises UpstreamError."""
    choices = answer.get("choices")
    if not isinstance(choices, list):
        raise UpstreamError(f"{_NO_COMPLETION}: it has no choices")
    for choice in choices:
        if not isinstance(choice, dict) or not isinstance(choice.get("text"), (str, type(None))):
            raise UpstreamError(f"{_NO_COMPLETION}: a choice has no text")
        if not isinstance(choice.setdefault("index", 0), int):
            raise UpstreamError(f"{_NO_COMPLETION}: a choice's index is no number")
        for field in BESIDE:
            choice.pop(field, None)
    return choices


def _places(answer: Body) -> Iterator[Place]:
    """Every text of a whole answer. Of a choice's tokens only what its texts do not say."""
    for choice in _choices(answer):
        said = [Place((), holder, key, owner=choice) for _, holder, key in _texts(choice)]
        yield from said
        if spelt(choice) not in ("", *(place.value for place in said)):
            yield Place((), Spelt(choice), "")
    yield from (Place((), holder, key) for _, holder, key in around(answer, OF_ANSWER))


def _texts(choice: Body) -> Iterator[tuple[Any, Any, str | int]]:
    return (found for found in texts(choice) if found[0][0] not in UNREAD)
