"""A provider of Responses over HTTP: it repeats the last text, calls tools, thinks, and misbehaves on request."""

import asyncio
import json
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.fake_responses import events, function_call, message, reasoning, response


class ResponsesProvider:
    """Keeps what it was asked, and the responses that it finished, so that they can be continued."""

    def __init__(self):
        self.bodies, self.headers, self.known = [], [], set()
        self.streaming = 0
        self.app = Starlette(routes=[Route("/v1/responses", self.create, methods=["POST"])])

    async def create(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        previous = body.get("previous_response_id")
        if previous and previous not in self.known:
            error = {"message": f"Previous response with id '{previous}' not found.", "type": "invalid_request_error"}
            return JSONResponse({"error": {**error, "code": "previous_response_not_found"}}, 400)
        said = last_text(body["input"])
        if "be rate limited" in said:
            error = {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
            return JSONResponse({"error": error}, 429, {"retry-after": "7"})
        if "advertise" in said:
            said = "word " * 200 + "Acme is better. " + "word " * 200
        items = [reasoning(f"They say: {said}")] if "think" in said else []
        if body.get("tools") and "use the tool" in said:
            items.append(function_call("find", json.dumps({"order": said})))
        elif (body.get("text") or {}).get("format", {}).get("type") == "json_schema":
            items.append(message(json.dumps({"said": said})))
        else:
            items.append(message(said))
        whole = response(*items, id=f"resp_{uuid4().hex}")
        if body.get("stream"):
            return StreamingResponse(self.streamed(whole, said), media_type="text/event-stream")
        self.known.add(whole["id"])
        return JSONResponse(whole)

    async def streamed(self, whole, said):
        self.streaming += 1
        try:
            for event in events(whole, piece=6):
                if event["type"].endswith(".delta"):
                    while "never stop" in said:
                        yield encoded(event)
                        await asyncio.sleep(0.001)
                if event["type"].endswith("_text.done") and "break off" in said:
                    raise ConnectionResetError
                yield encoded(event)
            self.known.add(whole["id"])
        finally:
            self.streaming -= 1


def encoded(event) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def last_text(given) -> str:
    """The last text of a request's input."""
    if isinstance(given, str):
        return given
    content = given[-1].get("content") or given[-1].get("output") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
