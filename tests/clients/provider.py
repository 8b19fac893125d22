"""An OpenAI-compatible provider over HTTP: it repeats the last message, calls tools, and misbehaves on request."""

import asyncio
import base64
import json
import struct

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.clients.responses_provider import ResponsesProvider

MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "t"}]}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": "m", "system_fingerprint": "fp"}


class Provider:
    """Keeps what it was asked. The last message's text is the answer; a few words make it misbehave."""

    def __init__(self):
        self.bodies, self.headers = [], []
        self.streaming = self.abandoned = 0
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/models", lambda request: JSONResponse(MODELS)),
                Route("/v1/models/m", lambda request: JSONResponse(MODELS["data"][0])),
                Route("/v1/responses", ResponsesProvider().create, methods=["POST"]),
                Route("/v1/embeddings", self.embeddings, methods=["POST"]),
                Route("/v1/completions", self.completions, methods=["POST"]),
            ]
        )

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        content = body["messages"][-1]["content"]
        said = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
        if "advertise" in said:
            said = "word " * 200 + "Acme is better. " + "word " * 200
        if "be slow" in said:
            await self.dawdle(request)
        if "be rate limited" in said:
            error = {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
            return JSONResponse({"error": error}, 429, {"retry-after": "7"})
        if "refuse the key" in said:
            error = {
                "message": "Incorrect API key provided: sk-prov**der.",
                "type": "invalid_request_error",
                "code": None,
            }
            return JSONResponse({"error": error}, 401)
        if "speak garbage" in said:
            return Response(b"<html>Bad gateway</html>", 200, media_type="text/html")
        if "fail as html" in said:
            return Response(b"<html>Bad gateway</html>", 502, media_type="text/html")
        call = body.get("tools") and "use the tool" in said
        if body.get("stream"):
            pieces = self.endless() if "never stop" in said else self.pieces(said, call, body)
            return StreamingResponse(pieces, media_type="text/event-stream")
        message = {"role": "assistant", "content": None if call else said}
        if call:
            function = {"name": "find", "arguments": json.dumps({"order": said})}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
        finish = "tool_calls" if call else "stop"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        return JSONResponse({**HEAD, "object": "chat.completion", "choices": choices, "usage": usage, "x_vendor": 1})

    async def pieces(self, said, call, body):
        yield self.event({"role": "assistant", "content": None if call else ""})
        if call:
            arguments = json.dumps({"order": said})
            first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "find", "arguments": ""}}
            yield self.event({"tool_calls": [first]})
            for start in range(0, len(arguments), 6):
                part = {"index": 0, "function": {"arguments": arguments[start : start + 6]}}
                yield self.event({"tool_calls": [part]})
        for start in range(0, 0 if call else len(said), 6):
            yield self.event({"content": said[start : start + 6]})
        if "break off" in said:
            raise ConnectionResetError
        yield self.event({}, "tool_calls" if call else "stop")
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            yield f"data: {json.dumps({**HEAD, 'object': 'chat.completion.chunk', 'choices': [], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"

    async def embeddings(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        given = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vectors = [struct.pack("<2f", len(text), 1.0) for text in given]
        encoded = [
            base64.b64encode(vector).decode()
            if body.get("encoding_format") == "base64"
            else struct.unpack("<2f", vector)
            for vector in vectors
        ]
        data = [{"object": "embedding", "index": number, "embedding": one} for number, one in enumerate(encoded)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return JSONResponse({"object": "list", "data": data, "model": "m", "usage": usage})

    async def completions(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        head = {**HEAD, "id": "cmpl-1", "object": "text_completion"}
        said = [f"{body['prompt']} and so on." for _ in range(body.get("n") or 1)]
        if "advertise" in body["prompt"]:
            said = ["word " * 200 + "Acme is better. " + "word " * 200]

        def choice(index, text, finish):
            return {"index": index, "text": text, "finish_reason": finish, "logprobs": None}

        async def pieces():
            for index, text in enumerate(said):
                for start in range(0, len(text), 6):
                    piece = choice(index, text[start : start + 6], "stop" if start + 6 >= len(text) else None)
                    yield f"data: {json.dumps({**head, 'choices': [piece]})}\n\n"
            yield "data: [DONE]\n\n"

        if body.get("stream"):
            return StreamingResponse(pieces(), media_type="text/event-stream")
        choices = [choice(index, text, "stop") for index, text in enumerate(said)]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return JSONResponse({**head, "choices": choices, "usage": usage})

    async def dawdle(self, request):
        """Wait half a minute, or until the caller has gone."""
        for _ in range(600):
            if await request.is_disconnected():
                self.abandoned += 1
                return
            await asyncio.sleep(0.05)

    async def endless(self):
        self.streaming += 1
        try:
            while True:
                yield self.event({"content": "on and on, "})
                await asyncio.sleep(0.001)
        finally:
            self.streaming -= 1

    @staticmethod
    def event(delta, finish=None):
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return f"data: {json.dumps({**HEAD, 'object': 'chat.completion.chunk', 'choices': choices, 'x_vendor': 1})}\n\n"
