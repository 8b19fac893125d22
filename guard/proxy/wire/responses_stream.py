"""A streamed response: numbered events that say what begins, goes on and ends, and say each text again at its end."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import cast

import orjson

from guard.errors import GuardError, UpstreamError
from guard.proxy.wire import openai
from guard.proxy.wire.leaves import Body, Path
from guard.proxy.wire.media import media
from guard.proxy.wire.responses_items import answered, place, said, texts, texts_at
from guard.proxy.wire.responses_shown import Shown
from guard.proxy.wire.wire import Place

#: What an event is about, by its name without the last word: where that stands in its item. Names with _index are
#: fields of the event, with a place in a list. Of those with a text, `….delta` brings a piece and `….done` the whole.
ABOUT: dict[str, tuple[str, ...]] = {
    "response.output_item": (),
    "response.content_part": ("content", "content_index"),
    "response.reasoning_summary_part": ("summary", "summary_index"),
    "response.output_text": ("content", "content_index", "text"),
    "response.refusal": ("content", "content_index", "refusal"),
    "response.reasoning_text": ("content", "content_index", "text"),
    "response.reasoning_summary_text": ("summary", "summary_index", "text"),
    "response.function_call_arguments": ("arguments",),
    "response.mcp_call_arguments": ("arguments",),
    "response.custom_tool_call_input": ("input",),
    "response.code_interpreter_call_code": ("code",),
}
GROWING = {(where[0], where[-1]) for where in ABOUT.values() if where and not where[-1].endswith("_index")}
#: The last event of a stream.
LAST = ("response.completed", "response.incomplete", "response.failed")
#: Sound, which is no text.
SOUND = "response.audio.delta"


class ResponsesStream:
    """The events of the answer to one request.

    A text that comes in pieces goes by its path in the response (`output`, 0, `content`, 0, `text`), under which later
    events repeat it. Any other text is said whole and goes by its words: said again it is the same one, and where its
    words have changed it is another.
    """

    end = b""

    def __init__(self, body: Body) -> None:
        self._shown = Shown(body)
        self._repeats: list[Place] = []
        self._ended: list[Hashable] = []
        #: The paths of the texts that have said something, and of those that have not ended, in their order.
        self._begun: set[Path] = set()
        self._open: dict[Path, None] = {}

    def read(self, event: Body) -> Iterator[Place]:
        """What a delta adds, and what an item or a part begins with; the whole text where no piece of it came."""
        kind = event.get("type")
        if not isinstance(kind, str) or not kind.isprintable():
            raise UpstreamError("the provider's stream is no response: an event has no type")
        base, _, step = kind.rpartition(".")
        self._repeats, self._ended = [], []
        for one in _places(event, base, step):
            path = cast(Path, one.text)
            if not _grows(path):
                one = replace(one, text=("whole", one.side, one.value))
                self._repeats.append(one)
                self._ended.append(one.text)
                continue
            self._open[path] = None
            if step in ("added", "delta") or path not in self._begun:
                yield one
            else:
                self._repeats.append(one)
            if one.value:
                self._begun.add(path)
        if step == "done" or kind in LAST:
            over = _path(event, base) if step == "done" else ("output",)
            self._ended += [path for path in self._open if path[: len(over)] == over]
            self._open = {path: None for path in self._open if path[: len(over)] != over}

    def unread(self, event: Body) -> Iterator[tuple[Hashable, str]]:
        """What of the event is no text, by its path in the response, where it stands again later."""
        if event["type"] == SOUND:
            yield SOUND, "audio"
        for field, value in event.items():
            if field == "response" and isinstance(value, dict):
                yield from media(value.get("output"), ("output",))
            elif isinstance(value, (dict, list)):
                yield from media(value, _place_of(event, field))
            elif field == "partial_image_b64":
                yield _path(event, "response.output_item"), "image"

    def repeats(self, event: Body) -> Iterator[Place]:
        """What has come in pieces, once more, and what is said whole."""
        return iter(self._repeats)

    def ended(self, event: Body) -> Iterator[Hashable]:
        """What was said whole, and all texts of the part, the item or the response that is over."""
        return iter(self._ended)

    def left(self, event: Body) -> None:
        """Note what the caller has of the response."""
        self._shown.add(event)

    def override(self, text: str) -> Iterator[Body]:
        """What is open is closed; then come a message that says `text`, and the end."""
        return self._shown.override(text)

    def broken(self, error: GuardError) -> Iterator[Body]:
        """An error event, with its fields where the protocol's description has them and where OpenAI sends them."""
        told = openai.error(error)["error"]
        yield self._shown.numbered("error", **{name: told[name] for name in ("code", "message", "param")}, error=told)

    def encode(self, event: Body) -> bytes:
        """The event under its name."""
        return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))


def _places(event: Body, base: str, step: str) -> Iterator[Place]:
    """Every text in an event, by its path: in the response where it has one, else in the event."""
    text = ABOUT[base][-1] if step == "done" and ABOUT.get(base) else "delta"
    for field, value in event.items():
        if field == "response" and isinstance(value, dict):
            yield from answered(value)
        elif field == "item" and isinstance(value, dict):
            yield from said(value, _path(event, "response.output_item"))
        elif field == "part":
            yield from (place(*one) for one in texts(value, _path(event, base)))
        elif field == text and event["type"] != SOUND:
            yield from _piece(event, field, _path(event, base))
        elif field != text:
            yield from (place(*one) for one in texts_at(event, field))


def _piece(event: Body, field: str, path: Path) -> Iterator[Place]:
    if not _grows(path):
        # What it is a piece of nobody knows: it is put together with its like.
        yield from (place(*one) for one in texts_at(event, field, path))
    elif not isinstance(event[field], str):
        raise UpstreamError("the provider's stream is no response: a piece of a text is no string")
    elif len(path) == 3:
        yield Place(path, event, field, "tool_call", str(event.get("name") or ""))
    else:
        yield place(path, event, field)


def _path(event: Body, base: str) -> Path:
    """Where in the response that stands which an event is about."""
    about = ABOUT.get(base, (base,))
    indexed = (_index(event, one) if one.endswith("_index") else one for one in about)
    return ("output", _index(event, "output_index"), *indexed)


def _place_of(event: Body, field: str) -> Path:
    """Where in the response that stands which an object of an event is."""
    if field == "item":
        return _path(event, "response.output_item")
    if field == "annotation":
        return (*_path(event, "response.content_part"), "annotations", _index(event, "annotation_index"))
    return _path(event, event["type"].rpartition(".")[0])


def _index(event: Body, field: str) -> int:
    index = event.get(field, 0)
    if not isinstance(index, int):
        raise UpstreamError(f"the provider's stream is no response: {field} is no number")
    return index


def _grows(path: Path) -> bool:
    """Whether a text comes in pieces: those of an item or of one of its parts, and pieces of nobody knows what."""
    if path[0] != "output" or len(path) < 3 or not isinstance(path[1], int):
        return False
    return path[3:4] == ("delta",) or (len(path) in (3, 5) and (path[2], path[-1]) in GROWING)
