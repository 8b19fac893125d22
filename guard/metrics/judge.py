"""Kind `judge`: a language model reads the text and gives a verdict, by a prompt of the policy's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from guard.errors import MetricError, UpstreamError, UpstreamTimeout
from guard.metrics.duration import Duration
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Kind, Maker, Metric
from guard.metrics.normalise import views
from guard.metrics.prompt import PLACEHOLDERS, Prompt, decoded, frame
from guard.metrics.score import Failure, Measurement, Score, merged
from guard.metrics.turn import SIDES, Side, Turn
from guard.metrics.verdict import read_verdict
from guard.metrics.windows import windows
from guard.providers import Provider


class Judge(Maker):
    """`model` (litellm's `provider/model`) is asked `prompt`, which is a text or the name of a `.md` or `.txt` file.

    `gives: number` wants a number from 0 (certainly not) to 1, `labels` and `label` some or one of `labels`. A side
    longer than `window` characters is read in several calls that share `overlap` characters (default: an eighth), at
    most `max_windows`, each within `timeout`. `api_key_env` names the variable with the key; without it the provider's
    usual one is read, but none is sent to an `api_base`.
    """

    kind: ClassVar[str] = "judge"

    model: str = Field(min_length=1)
    prompt: str = Field(min_length=1)
    gives: Kind = "number"
    labels: tuple[str, ...] = ()
    api_base: str | None = None
    api_key_env: str | None = None
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    timeout: Duration = 30.0
    window: int = Field(default=24_000, ge=100)
    overlap: int | None = Field(default=None, ge=0)
    max_windows: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _fields_go_together(self) -> Self:
        if (self.gives == "number") == bool(self.labels):
            need = "takes no `labels`" if self.labels else "needs `labels`: those that a verdict may name"
            raise ValueError(f"`gives: {self.gives}` {need}")
        if self.overlap is not None and self.overlap > self.window // 2:
            raise ValueError(f"`overlap` must be at most half of the window, that is {self.window // 2}")
        return self

    def make(self, name: str, folder: Path) -> Metric:
        """The metric. Raises MetricError where the prompt cannot be read or has nowhere to put a text."""
        bench = Bench(self, Prompt.of(self.prompt, folder))
        return Metric(
            name=name,
            measure=bench.measure,
            kind=self.gives,
            version=fingerprint(self.model_dump_json(), bench.prompt.template, str(frame())),
            sides=bench.sides,
            cost=Cost.REMOTE,
            labels=frozenset(self.labels) or None,
            description=f"{self.gives} by {self.model}, asked: {bench.prompt.template[:80]}",
            warm_up=bench.warm_up,
        )


class Bench:
    """Where a judge sits: puts its prompt to the model, and reads the verdicts."""

    def __init__(self, settings: Judge, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    @property
    def sides(self) -> frozenset[Side]:
        """The sides that the prompt can be asked about: those it names, or every one."""
        named = {PLACEHOLDERS[name] for name in self.prompt.names}
        return frozenset(side for side in SIDES if side in named or None in named)

    def warm_up(self) -> None:
        """Load litellm, and look the provider up. Raises MetricError."""
        try:
            Provider(self.settings.model, self.settings.api_base).check()
        except UpstreamError as error:
            raise MetricError(str(error)) from error

    async def measure(self, turn: Turn, side: Side) -> Measurement:
        """The verdict on the whole side; a failure where one of its windows got none."""
        try:
            # Normalising long texts takes milliseconds, which the event loop does not have.
            readings = await asyncio.to_thread(self._readings, turn, side)
        except ValueError as error:
            return Failure(str(error))
        verdicts = await asyncio.gather(*map(self._ask, readings))
        failed = [verdict for verdict in verdicts if isinstance(verdict, Failure)]
        return failed[0] if failed else merged(verdict for verdict in verdicts if isinstance(verdict, Score))

    def _readings(self, turn: Turn, side: Side) -> list[dict[str, str]]:
        """For each window of the measured side, what stands for each placeholder. Raises ValueError for long texts."""
        size = self.settings.window
        # One label is that of the whole text: labels of parts cannot be put together.
        most = 1 if self.settings.gives == "label" else self.settings.max_windows
        whole = _text(turn, side, size * most)
        overlap = size // 8 if self.settings.overlap is None else self.settings.overlap
        parts = [whole[start:end] for start, end in windows(whole, size, overlap)] or [""]
        if len(parts) > most:
            raise ValueError(_too_long(side, size * most))
        sides: dict[str, Side] = {name: PLACEHOLDERS[name] or side for name in self.prompt.names}
        others = {name: _text(turn, of, size) for name, of in sides.items() if of != side}
        measured = sides.keys() - others.keys()
        return [{**others, **dict.fromkeys(measured, part)} for part in parts]

    async def _ask(self, texts: dict[str, str]) -> Measurement:
        settings = self.settings
        body: dict[str, Any] = {
            "messages": self.prompt.messages(texts, settings.gives, settings.labels),
            "response_format": {"type": "json_object"},
        }
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        try:
            answer = _content(await self._provider().completion(body))
            return replace(read_verdict(answer, settings.gives, settings.labels), model=settings.model)
        except UpstreamTimeout as error:
            return Failure(str(error), timed_out=True)
        except UpstreamError as error:
            return Failure(str(error))
        except ValueError as error:
            return Failure(f"judge gave {error}")

    def _provider(self) -> Provider:
        """Raises UpstreamError where the key that the policy names is not set."""
        settings = self.settings
        key = os.environ.get(settings.api_key_env) if settings.api_key_env else None
        if settings.api_key_env and not key:
            raise UpstreamError(f"{settings.model} has no key; set {settings.api_key_env} in the environment")
        if key is None and settings.api_base:
            # Else litellm would send the provider's own key to whoever is at that address.
            key = "none"
        # What a provider does not support, like a temperature or JSON mode, is left out: the verdict is read strictly.
        return Provider(settings.model, settings.api_base, key, settings.timeout, drop_params=True)


def _text(turn: Turn, side: Side, most: int) -> str:
    """All passages of a side as they mean, with what they say when decoded. Raises ValueError beyond `most` of it."""
    passages = turn.passages(side)
    if sum(map(len, passages)) > most:
        raise ValueError(_too_long(side, most))
    read = (view for passage in passages for view in views(passage))
    text = "\n\n".join(view.text if view.kind == "normal" else decoded(view.text, view.kind) for view in read)
    if len(text) > most:
        raise ValueError(_too_long(side, most))
    return text


def _too_long(side: Side, most: int) -> str:
    return f"the {side} is longer than the {most} characters that are read; raise `window` or `max_windows`"


def _content(answer: Mapping[str, Any]) -> str:
    """The text of a chat completion. Raises ValueError where it has none."""
    choices = answer.get("choices")
    choice = choices[0] if choices else {}
    content = choice.get("message", {}).get("content")
    if not isinstance(content, str):
        raise ValueError(f"no text (finish_reason {choice.get('finish_reason')})")
    return content
