"""A provider of Responses: items said whole, or as the events that OpenAI sends for them, some characters at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from copy import deepcopy
from typing import Any

Body = dict[str, Any]

USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 8,
}
#: What comes in pieces in an item: its field, and the name of its events.
GROWING = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "code_interpreter_call": ("code", "response.code_interpreter_call_code"),
}
#: And in a part of one: its field, the name of its events, and what the events of the part and its index are called.
PARTS = {
    "output_text": ("text", "response.output_text", "content_part", "content_index"),
    "refusal": ("refusal", "response.refusal", "content_part", "content_index"),
    "reasoning_text": ("text", "response.reasoning_text", "content_part", "content_index"),
    "summary_text": ("text", "response.reasoning_summary_text", "reasoning_summary_part", "summary_index"),
}


def message(*parts: str | Body, number: int = 1) -> Body:
    """A message of the model's; a part that is a string is a text."""
    content = [text(part) if isinstance(part, str) else part for part in parts]
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": content}


def text(said: str, *annotations: Body) -> Body:
    """A part that is a text."""
    return {"type": "output_text", "text": said, "annotations": list(annotations), "logprobs": []}


def reasoning(summary: str, content: str = "") -> Body:
    """What the model thinks."""
    parts = [{"type": "reasoning_text", "text": content}] if content else []
    return {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": summary}], "content": parts}


def function_call(name: str, arguments: str) -> Body:
    """A call of the app's own function."""
    return {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": name, "arguments": arguments,
            "status": "completed"}  # fmt: skip


def response(*items: Body, **more: Any) -> Body:
    """A whole response."""
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "output": list(items), "usage": USAGE,
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, **more,
    }  # fmt: skip


def events(whole: Body, *, piece: int = 5) -> Iterator[Body]:
    """The events that stream a response, numbered, `piece` characters a delta."""
    for number, event in enumerate(_unnumbered(deepcopy(whole), piece)):
        yield {**event, "sequence_number": number}


def _unnumbered(whole: Body, piece: int) -> Iterator[Body]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        yield from _item(item, index, piece)
    yield {"type": f"response.{whole['status']}", "response": whole}


def _item(item: Body, index: int, piece: int) -> Iterator[Body]:
    growing, name = GROWING.get(item["type"], ("", ""))
    empty = {"status": "in_progress"} | ({growing: ""} if growing else {})
    empty |= {field: [] for field in ("content", "summary") if field in item}
    yield {"type": "response.output_item.added", "output_index": index, "item": {**item, **empty}}
    where = {"item_id": item["id"], "output_index": index}
    if growing:
        yield from _grown(name, growing, item[growing], piece, where)
    for part in (*item.get("summary", ()), *item.get("content", ())):
        field, name, kind, numbered = PARTS[part["type"]]
        at = {**where, numbered: item["summary" if kind.startswith("reasoning") else "content"].index(part)}
        began = {**part, field: ""} | ({"annotations": []} if "annotations" in part else {})
        yield {"type": f"response.{kind}.added", **at, "part": began}
        yield from _grown(name, field, part[field], piece, at)
        for number, annotation in enumerate(part.get("annotations", ())):
            about = {"annotation_index": number, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **at, **about}
        yield {"type": f"response.{kind}.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _grown(name: str, field: str, said: str, piece: int, where: Body) -> Iterator[Body]:
    beside = {"logprobs": []} if name == "response.output_text" else {}
    for start in range(0, len(said), piece):
        yield {"type": f"{name}.delta", **where, "delta": said[start : start + piece], **beside}
    yield {"type": f"{name}.done", **where, field: said, **beside}


class ScriptedResponses:
    """An upstream that answers with these items, and keeps what it was asked.

    `said` counts the events that were streamed, `closed` tells whether the stream was ended early. `script` are other
    events to stream; `error` is raised after them.
    """

    def __init__(
        self,
        *items: Body | str,
        piece: int = 5,
        script: list[Body] | None = None,
        error: Exception | None = None,
        **more: Any,
    ) -> None:
        self.whole = response(*(message(item) if isinstance(item, str) else item for item in items), **more)
        self.script = script if script is not None else list(events(self.whole, piece=piece))
        self.error = error
        self.bodies: list[Body] = []
        self.said = 0
        self.closed = False

    async def complete(self, path: str, body: Body, headers: Mapping[str, str]) -> Body:
        assert path == "responses"
        self.bodies.append(body)
        if self.error:
            raise self.error
        return deepcopy(self.whole)

    async def stream(self, path: str, body: Body, headers: Mapping[str, str]) -> AsyncGenerator[Body]:
        assert path == "responses"
        self.bodies.append(body)
        finished = False
        try:
            for event in deepcopy(self.script):
                self.said += 1
                yield event
            if self.error:
                raise self.error
            finished = True
        finally:
            self.closed = not finished

    async def aclose(self) -> None:
        pass
