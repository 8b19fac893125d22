"""Metrics that give what a test says, policies made of a few words, and a recorder that keeps what it is told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
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


def broken(name: str, error: Exception | Failure | None = None, *, on: str = "") -> Metric:
    """Fails wherever the text matches `on`, by default everywhere; gives 0 elsewhere."""

    def measure(turn: Turn, side: Side) -> Measurement:
        if not re.search(on, "\n".join(turn.passages(side))):
            return Score(0.0)
        if isinstance(error, Failure):
            return error
        raise error or RuntimeError("out of order")

    return Metric(name, measure, windowed=True)


def rule(metric: str, operator: str = "not_empty", target: Any = None, of: Side | None = None) -> dict[str, Any]:
    """A rule as it is written."""
    return {"metric": metric, "operator": operator, "target_value": target, "of": of}


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

    def add(self, event: Any) -> None:
        """Make the event now and keep it."""
        self.events.append(event())


def guard_of(policy: LoadedPolicy, **kept: Any) -> tuple[Guard, list[Event]]:
    """A guard and the list its events go to."""
    recorded = Recorded()
    return Guard(policy, recorder=recorded, **kept), recorded.events


def _rules(rules: Iterable[dict[str, Any] | str]) -> list[dict[str, Any]]:
    return [rule(one) if isinstance(one, str) else one for one in rules]
