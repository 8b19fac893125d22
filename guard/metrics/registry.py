"""Where metrics are found by name: the built-in ones, those of installed packages, a user's own, a policy's own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from guard.errors import MetricError, UnknownMetric, nearest
from guard.metrics.metric import Maker, Metric

#: name → "module:factory" of the built-in metrics. A factory takes no argument; its module is imported on first use.
BUILT_IN = {
    "app": "guard.metrics.label:app",
    "char_count": "guard.metrics.counts:char_count",
    "context_adherence": "guard.metrics.encoder.adherence:context_adherence",
    "harmful_request": "guard.metrics.encoder.metrics:harmful_request",
    "language": "guard.metrics.language:language",
    "model": "guard.metrics.label:model",
    "pii": "guard.metrics.pii:pii",
    "prompt_injection": "guard.metrics.encoder.metrics:prompt_injection",
    "secrets": "guard.metrics.secrets:secrets",
    "session": "guard.metrics.label:session",
    "sexism": "guard.metrics.encoder.metrics:sexism",
    "token_count": "guard.metrics.counts:token_count",
    "tone": "guard.metrics.encoder.tone:tone",
    "tools": "guard.metrics.tools:tools",
    "toxicity": "guard.metrics.encoder.metrics:toxicity",
    "unread": "guard.metrics.unread:unread",
    "urls": "guard.metrics.urls:urls",
    "user": "guard.metrics.label:user",
    "word_count": "guard.metrics.counts:word_count",
}

#: kind → "module:class" of what a policy may declare under `metrics:`.
KINDS = {
    "classifier": "guard.metrics.classifier:Classifier",
    "code": "guard.metrics.code:Code",
    "head": "guard.metrics.encoder.head:Head",
    "json_schema": "guard.metrics.json_schema:JsonSchema",
    "judge": "guard.metrics.judge:Judge",
    "keywords": "guard.metrics.keywords:Keywords",
    "label": "guard.metrics.label:Label",
    "language": "guard.metrics.language:Language",
    "pii": "guard.metrics.pii:Pii",
    "regex": "guard.metrics.regex:Regex",
    "secrets": "guard.metrics.secrets:Secrets",
    "token_classifier": "guard.metrics.token_classifier:TokenClassifier",
    "token_count": "guard.metrics.counts:TokenCount",
    "tools": "guard.metrics.tools:Tools",
    "urls": "guard.metrics.urls:Urls",
}

METRIC_GROUP = "guard.metrics"
KIND_GROUP = "guard.metric_kinds"


class Registry(Mapping[str, Metric]):
    """Metrics by name, each made on first use and once. `registry[name]` raises UnknownMetric with the nearest name."""

    def __init__(
        self, factories: Mapping[str, Callable[[], Metric]], parent: Mapping[str, Metric] | None = None
    ) -> None:
        self._factories = dict(factories)
        self._parent = parent
        self._made: dict[str, Metric] = {}

    def __getitem__(self, name: str) -> Metric:
        made = self._made.get(name)
        if made is not None:
            return made
        factory = self._factories.get(name)
        if factory is not None:
            return self._made.setdefault(name, factory())
        if self._parent is not None and name in self._parent:
            return self._made.setdefault(name, self._parent[name])
        raise UnknownMetric(f"no metric '{name}'; {nearest(name, self)}")

    def __contains__(self, name: object) -> bool:
        return name in self._factories or (self._parent is not None and name in self._parent)

    def __iter__(self) -> Iterator[str]:
        yield from self._factories
        if self._parent is not None:
            yield from (name for name in self._parent if name not in self._factories)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def add(self, metric: Metric) -> None:
        """Make a metric known under its name. Raises MetricError where the name is taken."""
        if metric.name in self:
            raise MetricError(f"there is a metric '{metric.name}' already; give yours another name")
        self._factories[metric.name] = lambda: metric

    def child(self, metrics: Mapping[str, Metric]) -> Registry:
        """A registry with these metrics in front of this one's: a policy's own."""
        return Registry({name: lambda metric=metric: metric for name, metric in metrics.items()}, self)


def kinds() -> dict[str, str]:
    """The kinds that a policy may declare metrics of: kind → "module:class"."""
    return {**{point.name: point.value for point in entry_points(group=KIND_GROUP)}, **KINDS}


def maker(kind: str) -> type[Maker]:
    """The class behind a kind. Raises MetricError with the nearest kind where there is none."""
    known = kinds()
    if kind not in known:
        raise MetricError(f"no kind of metric '{kind}'; {nearest(kind, known)}")
    return load(known[kind])


def field_names(kind: type[Maker]) -> list[str]:
    """The fields of a kind as policies write them."""
    return [field.alias or name for name, field in kind.model_fields.items()]


def make(name: str, declared: Mapping[str, object], folder: Path) -> Metric:
    """A policy's own metric from what it declares. Raises MetricError or pydantic's ValidationError."""
    kind = declared.get("kind")
    if not isinstance(kind, str):
        raise MetricError(f"metric '{name}' says no kind; {nearest('', kinds())}")
    settings = {key: value for key, value in declared.items() if key != "kind"}
    return maker(kind).model_validate(settings).make(name, folder)


class Installed(Mapping[str, Metric]):
    """The metrics that installed packages offer as entry points of the group `guard.metrics`, looked up when needed."""

    def __getitem__(self, name: str) -> Metric:
        return _factory(name, self._points[name])()

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)

    @cached_property
    def _points(self) -> dict[str, str]:
        return {point.name: point.value for point in entry_points(group=METRIC_GROUP)}


def _factory(name: str, path: str) -> Callable[[], Metric]:
    def factory() -> Metric:
        made = load(path)()
        if not isinstance(made, Metric):
            raise MetricError(f"'{path}' gave no Metric for '{name}'")
        return made

    return factory


def load(path: str) -> Any:
    """The object at "module:name"."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


#: The registry of this process: what `@guard.metric` adds to, and what policies look their metrics up in. Built-in
#: names stand in front, so that no package quietly replaces what a policy means by "pii".
REGISTRY = Registry({name: _factory(name, path) for name, path in BUILT_IN.items()}, Installed())
