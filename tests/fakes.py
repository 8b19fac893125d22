"""Metrics that give what a test says, policies made of a few words, and a recorder that keeps what it is told."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from typing import Any

from guard.guard import Guard
from guard.metrics import Failure, Measurement, Metric, Score, Side, Span, Turn
from guard.metrics.registry import Registry
from guard.metrics.score import found
from guard.policies import LoadedPolicy, Policy
from guard.store.event import Event

SORRY = "I'd rather not."


def fixed(name: str, value: float | str | list[str], **declared: Any) -> Metric:
    """Gives the same value for every text; of the value's kind."""
    kind = "number" if isinstance(value, (int, float)) else "label" if isinstance(value, str) else "labels"
    score = Score(tuple(value), tuple(value)) if isinstance(value, list) else Score(value)
    return Metric(name, lambda turn, side: score, kind=kind, **{"windowed": True, **declared})


def spotting(name: str, patterns: str | Mapping[str, str], **declared: Any) -> Metric:
    """Finds where a pattern matches, or each of several by label. One pattern's label is the metric's name."""
    by_label = {name: patterns} if isinstance(patterns, str) else patterns

    def measure(turn: Turn, side: Side) -> Score:
        return found(
            Span(match.start(), match.end(), label, passage=number)
            for number, passage in enumerate(turn.passages(side))
            for label, pattern in by_label.items()
            for match in re.finditer(pattern, passage)
        )

    return Metric(name, measure, kind="labels", **{"windowed": True, **declared})


def counting(name: str, pattern: str, **declared: Any) -> Metric:
    """How often a pattern matches: a number whose windows cannot be put together."""

    def measure(turn: Turn, side: Side) -> Score:
        return Score(float(sum(len(re.findall(pattern, passage)) for passage in turn.passages(side))))

    return Metric(name, measure, **declared)


def slow(name: str, seconds: float = 0.5) -> Metric:
    """Takes too long, in a thread."""

    def measure(turn: Turn, side: Side) -> Score:
        time.sleep(seconds)
        return Score(0.0)

    return Metric(name, measure, windowed=True)


def waiting(name: str) -> Metric:
    """Never comes to its end by itself: late as soon as there is a limit, however busy the machine is."""

    async def measure(turn: Turn, side: Side) -> Score:
        await asyncio.Event().wait()
        return Score(0.0)

    return Metric(name, measure, windowed=True)


def broken(name: str, error: Exception | Failure | None = None, *, on: str = "") -> Metric:
    """Fails wherever the text matches `on`, by default everywhere; gives 0 elsewhere."""

    def measure(turn: Turn, side: Side) -> Measurement:
        if not re.search(on, "\n".join(turn.passages(side))):
            return Score(0.0)
        if isinstance(error, Failure):
            return error
        raise error or RuntimeError("out of order")

    return Metric(name, measure, windowed=True)


def rule(
    metric: str, operator: str = "not_empty", target: Any = None, of: Side | None = None, **only: Any
) -> dict[str, Any]:
    """A rule as it is written; what else is given stands under `only`."""
    return {"metric": metric, "operator": operator, "target_value": target, "of": of, "only": only or None}


def override(*rules: dict[str, Any] | str, name: str = "override", text: str = SORRY, **written: Any) -> dict[str, Any]:
    """A ruleset that answers `text`. A rule that is a metric's name asks whether it found anything."""
    return {"name": name, "rules": _rules(rules), "action": {"type": "override", "choices": [text]}, **written}


def redact(*rules: dict[str, Any] | str, name: str = "redact", mode: str = "enforce", **action: Any) -> dict[str, Any]:
    """A ruleset that redacts."""
    return {"name": name, "rules": _rules(rules), "action": {"type": "redact", **action}, "mode": mode}


def policy_of(
    *metrics: Metric, name: str = "test", settings: Mapping[str, Any] | None = None, **stages: Iterable[dict[str, Any]]
) -> LoadedPolicy:
    """A policy of these metrics, with the rulesets of each stage by its kind; `settings` go into every stage."""
    written = {kind: {"rulesets": list(rulesets), **(settings or {})} for kind, rulesets in stages.items()}
    own = {metric.name: metric for metric in metrics}
    return LoadedPolicy(Policy.model_validate({"policy": name, "stages": written}), own, Registry({}).child(own))


class Recorded:
    """Keeps every event, made at once."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, make: Callable[[], Event], characters: int) -> None:
        """Make the event now and keep it."""
        self.events.append(make())


def guard_of(policy: LoadedPolicy, **kept: Any) -> tuple[Guard, list[Event]]:
    """A guard and the list its events go to."""
    recorded = Recorded()
    return Guard(policy, recorder=recorded, **kept), recorded.events


def _rules(rules: Iterable[dict[str, Any] | str]) -> list[dict[str, Any]]:
    return [rule(one) if isinstance(one, str) else one for one in rules]


class ScriptedUpstream:
    """A provider that answers with these texts, one a choice, `piece` characters a chunk, and keeps what it was asked.

    `said` counts the characters of the first choice that were streamed, `closed` tells whether the stream was ended
    early. `error` is raised instead of an answer, or after `fail_after` chunks.
    """

    def __init__(
        self,
        *texts: str,
        piece: int = 5,
        call: tuple[str, str] | None = None,
        reasoning: str = "",
        reasoning_field: str = "reasoning_content",
        extra: dict[str, Any] | None = None,
        error: Exception | None = None,
        fail_after: int | None = None,
    ) -> None:
        self.texts = texts or ("fine",)
        self.piece, self.call = piece, call
        self.reasoning, self.reasoning_field = reasoning, reasoning_field
        self.extra = extra or {}
        self.error, self.fail_after = error, fail_after
        self.bodies: list[dict[str, Any]] = []
        self.said = 0
        self.closed = False

    async def complete(self, path: str, body: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        self.bodies.append(body)
        if self.error:
            raise self.error
        choices = []
        for index, text in enumerate(self.texts):
            message: dict[str, Any] = {"role": "assistant", "content": text or None}
            if self.reasoning:
                message[self.reasoning_field] = self.reasoning
            if self.call:
                name, arguments = self.call
                function = {"name": name, "arguments": arguments}
                message["tool_calls"] = [{"id": "1", "type": "function", "function": function}]
            choices.append({"index": index, "message": message, "finish_reason": "stop"})
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices,
                "usage": usage, **self.extra}  # fmt: skip

    async def stream(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str]
    ) -> AsyncGenerator[dict[str, Any]]:
        self.bodies.append(body)
        finished = False
        try:
            for number, delta in enumerate(self._deltas()):
                if self.error and (self.fail_after is None or number >= self.fail_after):
                    raise self.error
                self.said += len(delta.get("content") or "")
                yield self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])
            yield self._chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
            finished = True
        finally:
            self.closed = not finished

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": path}]}

    async def aclose(self) -> None:
        pass

    def _deltas(self) -> Iterator[dict[str, Any]]:
        yield {"role": "assistant", "content": ""}
        for start in range(0, len(self.reasoning), self.piece):
            yield {self.reasoning_field: self.reasoning[start : start + self.piece]}
        for start in range(0, len(self.texts[0]), self.piece):
            yield {"content": self.texts[0][start : start + self.piece]}
        if self.call:
            name, arguments = self.call
            function = {"name": name, "arguments": ""}
            yield {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}]}
            for start in range(0, len(arguments), self.piece):
                yield {"tool_calls": [{"index": 0, "function": {"arguments": arguments[start : start + self.piece]}}]}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return {**head, "choices": choices, **self.extra}


class Streamed:
    """A streamed chat completion as its caller read it: the chunks, the text, the finish, the comments, the calls."""

    def __init__(self, content: str) -> None:
        events = [line for line in content.split("\n\n") if line]
        self.comments = [event for event in events if event.startswith(":")]
        data = [event.removeprefix("data: ") for event in events if event.startswith("data: ")]
        self.done = data[-1] == "[DONE]"
        self.chunks = [json.loads(event) for event in data if event != "[DONE]"]
        choices = [choice for chunk in self.chunks for choice in chunk.get("choices", [])]
        self.text = "".join(choice["delta"].get("content") or "" for choice in choices)
        self.finish = next((choice["finish_reason"] for choice in reversed(choices) if choice["finish_reason"]), None)
        self.calls: list[dict[str, Any]] = []
        for choice in choices:
            for call in choice["delta"].get("tool_calls") or ():
                if call["index"] == len(self.calls):
                    self.calls.append({**call, "function": {"name": "", "arguments": ""}})
                for name in ("name", "arguments"):
                    self.calls[call["index"]]["function"][name] += call["function"].get(name) or ""


def streamed(response: Any) -> Streamed:
    """What a response streamed."""
    return Streamed(response.text)


async def until(true: Callable[[], bool]) -> None:
    """Let everything else go on until it is true."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - nobody sets an event for a test
            await asyncio.sleep(0)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
