"""LiteLLM's generic guardrail contract: its proxy asks about each request and answer, and acts on what it is told.

Source: https://docs.litellm.ai/docs/adding_provider/generic_guardrail_api
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from guard.errors import BadRequest, TooLarge
from guard.guard import Exchange
from guard.metrics import ANSWERED, ASKED, Message, ToolCall, Turn
from guard.metrics.turn import read_messages
from guard.proxy.auth import Caller
from guard.proxy.body import Json, json_of
from guard.proxy.headers import guard_headers
from guard.proxy.proxy import Proxy, caller_of, proxy_of, unless_hung_up
from guard.proxy.wire.leaves import arguments
from guard.stream.findings import by_windows

ROUTE = "/beta/litellm_basic_guardrail_api"


Item = TypeVar("Item")
#: LiteLLM writes null where it has none.
Given = Annotated[list[Item], BeforeValidator(lambda given: [] if given is None else given)]


class Who(BaseModel):
    """Whose request it is, as LiteLLM's own keys say."""

    model_config = ConfigDict(extra="ignore")

    user_api_key_end_user_id: str | None = None
    user_api_key_user_id: str | None = None


class Asked(BaseModel):
    """What LiteLLM sends. Fields that are not read here are its own affair: it adds some with every release."""

    model_config = ConfigDict(extra="ignore")

    input_type: Literal["request", "response"]
    texts: Given[str] = []
    images: Given[Any] = []
    tools: Given[dict[str, Any]] = []
    tool_calls: Given[dict[str, Any]] = []
    structured_messages: Given[dict[str, Any]] = []
    request_data: Who = Who()
    litellm_trace_id: str | None = None
    model: str | None = None

    def labels(self) -> dict[str, str]:
        """Whose turn it is, where LiteLLM knows."""
        user = self.request_data.user_api_key_end_user_id or self.request_data.user_api_key_user_id
        known = {"user": user, "session": self.litellm_trace_id}
        return {name: value for name, value in known.items() if value}

    def turn(self, labels: Mapping[str, str]) -> Turn:
        """The turn to check. Raises BadRequest for a tool call whose arguments are no text."""
        if self.input_type == "response":
            return Turn(output=tuple(self.texts), tool_calls=self._calls(), labels=labels, unread_output=self._unread)
        return Turn(messages=self._messages(), tools=tuple(self.tools), labels=labels, unread=self._unread)

    @property
    def _unread(self) -> tuple[str, ...]:
        return ("image",) if self.images else ()

    def _messages(self) -> tuple[Message, ...]:
        """The texts under their messages' roles; where those do not say the same texts, no role is believed."""
        messages = read_messages(self.structured_messages)
        if _parts(messages) == self.texts:
            return messages
        return tuple(Message("user", (text,)) for text in self.texts)

    def _calls(self) -> tuple[ToolCall, ...]:
        calls = []
        for _, holder, key in arguments({"tool_calls": self.tool_calls}):
            if not isinstance(holder.get(key), str):
                raise BadRequest("a tool call has no arguments that are text", param="tool_calls")
            calls.append(ToolCall(str(holder.get("name", "")), holder[key]))
        return tuple(calls)


async def litellm_guardrail(request: Request) -> Response:
    """One request or answer that passes through LiteLLM's proxy: go on, go on with other texts, or stop."""
    proxy = proxy_of(request)
    caller, asked = caller_of(request), _parsed(json_of(request))
    if len(asked.texts) > proxy.settings.max_messages or len(asked.structured_messages) > proxy.settings.max_messages:
        raise TooLarge(f"more than {proxy.settings.max_messages:,} messages", param="texts")
    return await proxy.limits.around(caller, asked.labels(), lambda _: _answered(request, proxy, caller, asked))


async def _answered(request: Request, proxy: Proxy, caller: Caller, asked: Asked) -> Response:
    exchange = caller.exchange(proxy.guard, asked.model or "", ROUTE, asked.labels())
    if asked.images:
        unread = exchange.unread if asked.input_type == "request" else exchange.unread_output
        unread["image"] += len(asked.images)
    told = await unless_hung_up(request, _told(exchange, asked))
    if asked.input_type == "response":
        told["stream_holdback_chars"] = _held_back(exchange, told.get("texts", asked.texts), proxy.settings.overlap)
    return Json(told, headers=guard_headers(exchange))


async def _told(exchange: Exchange, asked: Asked) -> dict[str, Any]:
    """What LiteLLM is to do."""
    before = asked.turn(exchange.labels)
    after, refused = await exchange.check_each(before, ASKED if asked.input_type == "request" else ANSWERED)
    if refused is not None:
        return {"action": "BLOCKED", "blocked_reason": refused.text}
    if after.tool_calls != before.tool_calls:
        # LiteLLM takes back texts only: what should be taken out of a call would stay in it.
        return {"action": "BLOCKED", "blocked_reason": exchange.policy.stage("tool_call").refusal}
    texts = [*_parts(after.messages), *after.output]
    return {"action": "NONE"} if texts == asked.texts else {"action": "GUARDRAIL_INTERVENED", "texts": texts}


def _held_back(exchange: Exchange, texts: Sequence[str], overlap: int) -> list[int]:
    """How many characters at each text's end LiteLLM is to keep back, should more of it come.

    As where Guard streams itself: what the next characters may still change, or all of it where only the whole tells.
    """
    policy = exchange.policy
    stage = policy.stage("output")
    if not stage.probes:
        return [0] * len(texts)
    return [overlap if by_windows(stage, policy.metrics) else len(text) for text in texts]


def _parts(messages: Iterable[Message]) -> list[str]:
    return [part for message in messages for part in message.parts]


def _parsed(body: dict[str, Any]) -> Asked:
    try:
        return Asked.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"'{where}': {first['msg']}", param=where) from None
