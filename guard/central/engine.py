"""Checks that central makes itself: a stage of its records, on the organisation's floor, by the one hot path."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from copy import copy

from guard.errors import Invalid
from guard.guard import Exchange, Guard
from guard.listeners import Notifies, Recorder
from guard.metrics import Metric, Turn
from guard.metrics.registry import REGISTRY, Registry
from guard.policies import LoadedPolicy, Policy, PolicySet
from guard.policies.check import complaints
from guard.policies.extend import violations
from guard.policies.floor import stand_on
from guard.policies.unpack import load_text
from guard.stages import Stage
from guard.verdict import Verdict

#: Stages that are kept ready; the one that was asked for least recently goes first.
KEPT = 1_000


class Engine:
    """Stages made ready, and the guard that checks by them. `metrics` are those that rules may name."""

    def __init__(
        self, *, recorder: Recorder | None = None, notifier: Notifies | None = None, metrics: Registry = REGISTRY
    ) -> None:
        self.metrics = metrics
        self._guard = Guard(PolicySet(()), recorder=recorder, notifier=notifier)
        self._ready: OrderedDict[Hashable, LoadedPolicy] = OrderedDict()

    def floor(self, text: str) -> LoadedPolicy | None:
        """The floor that a text is; None where it is empty. Raises PolicyError."""
        if not text:
            return None
        return self._kept(("floor", text), lambda: load_text(text, "floor", metrics=self.metrics))

    def policy(
        self, identifier: str, stage: Stage, floor: str = "", own: Mapping[str, Metric] | None = None
    ) -> LoadedPolicy:
        """The stage, ready to check by. `identifier` is what events call it by (letters, digits, `-`, `_`, `.`).

        `floor` is the text of the floor under it; a paused stage still stands on it. `own` are metrics that only this
        stage knows; it is made ready once for the same ones, not for others that are like them. Raises PolicyError.
        """

        def make() -> LoadedPolicy:
            base, paused = self.floor(floor), {"paused": False, "rulesets": ()}
            named = _on(base.policy, stage) if base else stage
            if base and stage.paused and base.has(stage.kind):
                named = Stage.model_validate({**_fields(named), **paused})
            policy = Policy.model_validate({"policy": identifier, "stages": {named.name: _fields(named)}})
            loaded = LoadedPolicy(policy, dict(own or {}), self.metrics.child(own or {}))
            return stand_on(base, loaded, metrics=self.metrics) if base else loaded

        known = tuple(sorted((own or {}).items(), key=lambda one: one[0]))
        return self._kept((identifier, floor, stage.model_dump_json(), known), make)

    def refuse(self, stage: Stage, floor: str = "", own: Mapping[str, Metric] | None = None) -> None:
        """Raise Invalid where the stage's rules can mean nothing, or would hollow out the floor."""
        base = self.floor(floor)
        named = _on(base.policy, stage) if base else stage
        policy = Policy.model_validate({"policy": "stage", "stages": {named.name: _fields(named)}})
        wrong = list(complaints(policy, self.metrics.child(own or {})))
        wrong += violations(base.policy, policy) if base else ()
        for path, text in wrong[:1]:
            raise Invalid(text, param=".".join(str(step) for step in path[2:]) or None)

    async def check(
        self, policy: LoadedPolicy, stage: Stage, turn: Turn, labels: Mapping[str, str], *, project: str
    ) -> Verdict:
        """Check a turn by the stage that `policy` was made of, and record it under `project` (an id).

        Raises PolicyError where a metric cannot be loaded.
        """
        guard = copy(self._guard)
        guard.project = project
        return await Exchange(guard, policy, labels).check(turn, stage.kind)

    def _kept(self, key: Hashable, make: Callable[[], LoadedPolicy]) -> LoadedPolicy:
        found = self._ready.pop(key, None) or make()
        self._ready[key] = found
        while len(self._ready) > KEPT:
            self._ready.popitem(last=False)
        return found


def _on(floor: Policy, stage: Stage) -> Stage:
    """The stage under the name that the floor's stage of its kind has: stages of one kind are one."""
    below = next((one for one in floor.stages.values() if one.kind == stage.kind), None)
    return Stage.model_validate({**_fields(stage), "name": below.name}) if below else stage


def _fields(stage: Stage) -> dict:
    """What was written, and nothing that is only a default: a floor may say otherwise there."""
    return {name: getattr(stage, name) for name in {"name", "kind", *stage.model_fields_set}}
