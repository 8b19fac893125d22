"""How many tokens an answer took, as its provider says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from guard.proxy.upstream import Upstream

Json = dict[str, Any]

_ASKED = ("prompt_tokens", "input_tokens")
_SAID = ("completion_tokens", "output_tokens")


class Metered:
    """An upstream that counts the tokens of one request. Of a stream that tells none, each event counts as one."""

    def __init__(self, upstream: Upstream, count: Count) -> None:
        self._upstream = upstream
        self._count = count

    async def complete(self, path: str, body: Json, headers: Mapping[str, str]) -> Json:
        """The whole answer."""
        answer = await self._upstream.complete(path, body, headers)
        self._count.note(answer)
        return answer

    async def stream(self, path: str, body: Json, headers: Mapping[str, str]) -> AsyncGenerator[Json]:
        """The answer's events."""
        wanted = (body.get("stream_options") or {}).get("include_usage")
        added = path == "chat/completions" and not wanted
        if added:
            # OpenAI's protocol says it only when asked, in an event of its own, which the caller did not ask for.
            body = {**body, "stream_options": {**(body.get("stream_options") or {}), "include_usage": True}}
        events = self._upstream.stream(path, body, headers)
        try:
            async for event in events:
                self._count.note(event)
                if not (added and event.get("usage") and not event.get("choices")):
                    yield event
        finally:
            await events.aclose()

    async def get(self, path: str, headers: Mapping[str, str]) -> Json:
        """What the provider answers to a GET."""
        return await self._upstream.get(path, headers)

    async def aclose(self) -> None:
        """End all connections."""
        await self._upstream.aclose()


class Count:
    """The tokens of one request so far."""

    def __init__(self) -> None:
        self._asked = self._said = self._events = 0

    @property
    def tokens(self) -> int:
        """What was asked and said, in tokens; what the provider did not tell is estimated."""
        return self._asked + (self._said or self._events)

    def note(self, answer: Json) -> None:
        """Take in an answer, or an event of one: later ones tell the sum, so the highest counts."""
        self._events += 1
        usage = _usage(answer)
        self._asked = max(self._asked, _number(usage, _ASKED))
        self._said = max(self._said, _number(usage, _SAID))


def _usage(answer: Json) -> Mapping[str, Any]:
    """The usage, which stands in the answer itself, or in what an event is about (Responses, Messages)."""
    for holder in (answer, answer.get("response"), answer.get("message")):
        if isinstance(holder, dict) and isinstance(holder.get("usage"), dict):
            return holder["usage"]
    return {}


def _number(usage: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return max((usage[name] for name in names if isinstance(usage.get(name), int)), default=0)
