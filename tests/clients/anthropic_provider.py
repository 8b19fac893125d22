"""A provider of Anthropic's protocol over HTTP: it repeats what was said, thinks, calls tools, or misbehaves."""

import asyncio
import hashlib
import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

USAGE = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 2}
MODELS = {"data": [{"type": "model", "id": "m", "display_name": "M", "created_at": "2026-01-01T00:00:00Z"}]}


def sign(thought):
    """A signature that holds for this thought only."""
    return hashlib.sha256(thought.encode()).hexdigest()


def error(status, kind, message, headers=None):
    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status, headers)


class AnthropicProvider:
    """Keeps what it was asked. What the last message says is the answer; a few words make it do something else."""

    def __init__(self):
        self.bodies, self.headers = [], []
        self.streaming = self.abandoned = self.failures = 0
        self.app = Starlette(
            routes=[
                Route("/v1/messages", self.messages, methods=["POST"]),
                Route("/v1/messages/count_tokens", self.count, methods=["POST"]),
                Route("/v1/models", lambda request: JSONResponse({**MODELS, "has_more": False})),
            ]
        )

    async def count(self, request: Request) -> Response:
        await self.keep(request)
        return JSONResponse({"input_tokens": 42})

    async def keep(self, request):
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        return body

    async def messages(self, request: Request) -> Response:
        body = await self.keep(request)
        if "anthropic-version" not in request.headers:
            return error(400, "invalid_request_error", "anthropic-version: header is required")
        for message in body["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else ():
                if block["type"] == "thinking" and block["signature"] != sign(block["thinking"]):
                    return error(400, "invalid_request_error", "Invalid `signature` in `thinking` block")
        said = last_text(body)
        if "be slow" in said:
            await self.dawdle(request)
        if "fail once" in said and not self.failures:
            self.failures += 1
            return error(529, "overloaded_error", "Overloaded", {"retry-after": "0", "request-id": "req_1"})
        if "be rate limited" in said:
            return error(429, "rate_limit_error", "slow down", {"retry-after": "7", "request-id": "req_2"})
        if "refuse the key" in said:
            return error(401, "authentication_error", "invalid x-api-key sk-prov**der")
        blocks = list(self.blocks(said, body))
        stop = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
        if body.get("stream"):
            events = self.endless(head) if "never stop" in said else self.events(head, blocks, stop, said)
            return StreamingResponse(events, media_type="text/event-stream", headers={"request-id": "req_3"})
        return JSONResponse(
            {**head, "content": blocks, "stop_reason": stop, "usage": USAGE}, headers={"request-id": "req_3"}
        )

    def blocks(self, said, body):
        if "advertise" in said:
            said = "word " * 200 + "Acme is better. " + "word " * 200
        if "think" in said:
            yield {"type": "thinking", "thinking": f"They say: {said}", "signature": sign(f"They say: {said}")}
        if "search the web" in said:
            yield {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": said}}
            found = {
                "type": "web_search_result",
                "url": "https://a.example",
                "title": "A page",
                "encrypted_content": "x",
            }
            yield {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [found]}
        cited = {"type": "char_location", "cited_text": said, "document_index": 0, "document_title": "Doc"}
        cited |= {"start_char_index": 0, "end_char_index": len(said)}
        yield {"type": "text", "text": said, **({"citations": [cited]} if "cite" in said else {})}
        if body.get("tools") and "use the tool" in said:
            yield {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"order": said}}

    async def events(self, head, blocks, stop, said):
        yield event("message_start", message={**head, "content": [], "stop_reason": None, "usage": USAGE})
        yield event("ping")
        for index, block in enumerate(blocks):
            for one in block_events(index, block):
                yield one
            if "break off" in said:
                raise ConnectionResetError
            if "overload" in said:
                yield event("error", error={"type": "overloaded_error", "message": "Overloaded"})
                return
        yield event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 9})
        yield event("message_stop")

    async def dawdle(self, request):
        """Wait half a minute, or until the caller has gone."""
        for _ in range(600):
            if await request.is_disconnected():
                self.abandoned += 1
                return
            await asyncio.sleep(0.05)

    async def endless(self, head):
        self.streaming += 1
        try:
            yield event("message_start", message={**head, "content": [], "stop_reason": None, "usage": USAGE})
            yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            while True:
                yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": "on and on, "})
                await asyncio.sleep(0.001)
        finally:
            self.streaming -= 1


def last_text(body):
    """What the last message says, or what its tools gave."""
    content = body["messages"][-1]["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return " ".join(str(block.get("text") or block.get("content") or "") for block in blocks)


def block_events(index, block):
    """The events of one block: its texts in small pieces, what else it has at once."""
    deltas = []
    empty = dict(block)
    for field, kind in (("text", "text_delta"), ("thinking", "thinking_delta")):
        if field in block:
            empty[field] = ""
            deltas += [{"type": kind, field: piece} for piece in pieces(block[field])]
    if "input" in block:
        empty["input"] = {}
        given = pieces(json.dumps(block["input"]))
        deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *given]]
    if "signature" in block:
        empty["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    if "citations" in block:
        empty["citations"] = []
        deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
    yield event("content_block_start", index=index, content_block=empty)
    yield from (event("content_block_delta", index=index, delta=delta) for delta in deltas)
    yield event("content_block_stop", index=index)


def pieces(text, size=6):
    return [text[start : start + size] for start in range(0, len(text), size)]


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
