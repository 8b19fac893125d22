"""`POST /v1/guard/check`: one stage on a given turn, for apps that ask Guard and act themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from guard.answer import as_json
from guard.errors import BadRequest
from guard.metrics import Side, ToolCall, Turn
from guard.proxy.auth import Caller
from guard.proxy.body import Json, json_of
from guard.proxy.headers import guard_headers
from guard.proxy.proxy import Proxy, caller_of, proxy_of, unless_hung_up
from guard.proxy.wire.chat import validate_message

ROUTE = "/v1/guard/check"


class Call(BaseModel):
    """A tool call: the tool's name, and its arguments as JSON text."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    arguments: str


class Check(BaseModel):
    """What to check. `text` is short for one text on the stage's own side; the others are the sides of a whole turn."""

    model_config = ConfigDict(extra="forbid")

    stage: Side = "input"
    text: str | None = None
    messages: list[dict[str, Any]] = Field(default_factory=list)
    output: str | list[str] = Field(default_factory=list)
    documents: list[str] = Field(default_factory=list)
    tool_calls: list[Call] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    model: str = ""

    def turn(self, labels: dict[str, str]) -> Turn:
        """The turn that is described."""
        if self.text is not None:
            if self.messages or self.output or self.documents or self.tool_calls:
                raise BadRequest("give either 'text' or the sides of a turn, not both", param="text")
            return replace(Turn.of(self.text, self.stage), labels=labels)
        for number, message in enumerate(self.messages):
            validate_message(message, f"messages[{number}]")
        return Turn.of_messages(
            self.messages,
            output=(self.output,) if isinstance(self.output, str) else tuple(self.output),
            documents=tuple(self.documents),
            tool_calls=tuple(ToolCall(call.name, call.arguments) for call in self.tool_calls),
            labels=labels,
        )


async def check(request: Request) -> Response:
    """One check: the decision, its scores, and the texts to go on with."""
    proxy = proxy_of(request)
    caller, asked = caller_of(request), _parsed(json_of(request))
    return await proxy.limits.around(caller, asked.labels, lambda _: _checked(request, proxy, caller, asked))


async def _checked(request: Request, proxy: Proxy, caller: Caller, asked: Check) -> Response:
    exchange = caller.exchange(proxy.guard, asked.model, ROUTE, {})
    # Whose turn it is says the key: labels of the same name do not count.
    turn = asked.turn({**asked.labels, **exchange.labels})
    if not turn.holds(asked.stage):
        raise BadRequest(f"nothing on side '{asked.stage}' to check; give 'text'", param="text")
    verdict = await unless_hung_up(request, exchange.check(turn, asked.stage))
    return Json(as_json(verdict), headers=guard_headers(exchange))


def _parsed(body: dict[str, Any]) -> Check:
    try:
        return Check.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"'{where}': {first['msg']}", param=where) from None
