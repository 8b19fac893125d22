"""A policy ready to work with: everything it extends folded in, its metrics made, its revision known."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from guard.errors import NoPolicy, PolicyError
from guard.metrics.metric import Metric
from guard.metrics.registry import Registry
from guard.metrics.turn import ASKED, Side
from guard.policies.policy import Policy
from guard.stages import Stage


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy with everything it extends folded in and its own metrics made: what a guard works with.

    `own` are the metrics that the policy itself declares, `metrics` those and all others; `file` is where it came from.
    """

    policy: Policy
    own: Mapping[str, Metric]
    metrics: Registry
    file: Path | None = None
    _ready: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)
    _loading: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.policy.policy

    @cached_property
    def revision(self) -> str:
        """The first 12 hexadecimal digits of a hash over all that the policy says, files it refers to included."""
        content = self.policy.model_dump(mode="json", exclude={"extends", "without"})
        content["metrics"] = {name: metric.version for name, metric in self.own.items()} | {"": content["metrics"]}
        text = json.dumps(content, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """`name@revision`, as headers and events carry it."""
        return f"{self.name}@{self.revision}"

    def select(
        self, app: str = "", model: str = "", route: str = "", *, name: str = "", user: str = "", session: str = ""
    ) -> LoadedPolicy:
        """Itself, whatever the turn: a policy that is handed over by name applies to everything it is asked about.

        Raises NoPolicy where another one is asked for by `name`.
        """
        if name not in ("", self.name):
            raise NoPolicy(f"there is no policy '{name}', so the request is refused; there is only '{self.name}'")
        return self

    async def ready(self) -> None:
        """Return once all that the rules measure with is loaded: the first turn waits. Raises PolicyError."""
        if not self._ready.is_set():
            await asyncio.to_thread(self.make_ready)

    def make_ready(self) -> None:
        """Load all that the rules measure with, outside of any turn's deadline. Raises PolicyError where that fails."""
        with self._loading:
            if self._ready.is_set():
                return
            for probe in (probe for stage in self.policy.stages.values() for probe in stage.probes):
                self._warm_up(self.metrics[probe.metric])
            self._ready.set()

    def _warm_up(self, metric: Metric) -> None:
        try:
            if metric.warm_up is not None:
                metric.warm_up()
        except Exception as error:  # noqa: BLE001 - a metric is foreign code: what it raises means that it cannot be used
            why = f"metric '{metric.name}' cannot be made ready: {type(error).__name__}: {error}"
            raise PolicyError(f"{self.file or self.name}:1: {' '.join(why.split())}") from None

    @cached_property
    def _by_kind(self) -> dict[Side, Stage]:
        return {stage.kind: stage for stage in self.policy.stages.values()}

    def stage(self, kind: Side) -> Stage:
        """The stage of this kind; an empty one, which decides `skipped`, where the policy has none."""
        return self._by_kind.get(kind) or Stage(name=kind, kind=kind)

    @cached_property
    def alongside(self) -> tuple[Side, ...]:
        """The sides of a request that are checked while the provider is asked already."""
        return tuple(kind for kind in ASKED if kind in self._by_kind and self._by_kind[kind].alongside)

    @cached_property
    def before(self) -> tuple[Side, ...]:
        """The sides of a request that are checked before the provider is asked."""
        return tuple(kind for kind in ASKED if kind in self._by_kind and not self._by_kind[kind].alongside)

    @cached_property
    def reads(self) -> frozenset[str]:
        """What the input stage reads though the app or the model wrote it: roles, and tool definitions as `tools`."""
        return frozenset(self.stage("input").reads)

    def refusals(self, kinds: Iterable[Side]) -> frozenset[str]:
        """Every text that the stages of these kinds may answer with instead of passing something on."""
        return frozenset(text for kind in kinds if kind in self._by_kind for text in self._by_kind[kind].refusals)

    def has(self, kind: Side) -> bool:
        """Whether the policy has a stage of this kind."""
        return kind in self._by_kind
