"""The code metrics that stages name, ready to measure: a sandbox for each, and so many processes at a time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from guard.central.code.environments import Environments, State
from guard.central.code.package import Package
from guard.central.settings import CentralSettings
from guard.errors import Conflict
from guard.metrics import Failure, Metric, Side, Turn
from guard.metrics.metric import Kind
from guard.metrics.sandbox import NEEDED, Limits, Sandbox, SandboxError, sandboxed

#: Processes that run code at a time, and sandboxes that are kept, with a process or without.
PROCESSES, KEPT = 16, 200
#: Seconds between looks whether something is built.
_LOOK = 0.2
_OFF = State(status="FAILED", log="uploaded code does not run at this central (setting code: off)")


class CodeMetrics:
    """The code metrics of one process of central."""

    def __init__(self, settings: CentralSettings) -> None:
        limits = Limits(
            seconds=settings.code_seconds,
            memory=settings.code_memory << 20,
            walls=NEEDED if settings.code == "walled" else (),
        )
        folder = Path(settings.code_folder).absolute()
        self._on = settings.code != "off"
        self._environments = Environments(folder, limits, settings.code_build_seconds)
        #: By digest, the one used last at the end; and the metrics that measure in each, by name and version.
        self._sandboxes: OrderedDict[str, Sandbox] = OrderedDict()
        self._metrics: dict[str, dict[tuple[str, int], Metric]] = {}

    async def state(self, package: Package, *, again: bool = False) -> State:
        """How a package stands on this machine; with `again` a build that failed is tried once more."""
        if not self._on:
            return _OFF
        return await (self._environments.again(package) if again else self._environments.state(package))

    async def metric(self, name: str, versions: Sequence[tuple[int, Package]]) -> Metric:
        """The metric of the newest version that is READY here, or one that fails and says why.

        `versions` come newest first: while one is built, or could not be, the one before stays in force.
        """
        states = []
        for number, package in versions:
            states.append(state := await self.state(package))
            if state.status == "READY":
                return await self._ready(name, number, package, state)
        return _not_ready(name, versions[0][1], states[0])

    async def built(self, name: str, versions: Sequence[tuple[int, Package]]) -> None:
        """Wait until a version can be used. Raises Conflict that says why none can be.

        The newest one counts, unless it could not be built: then the one before.
        """
        why = ""
        for _, package in versions:
            state = await self._settled(package)
            if state.status == "READY":
                return
            why = why or (state.log.splitlines() or ["no reason is known"])[-1][:300]
        raise Conflict(f"code metric '{name}' is FAILED: {why}; mend it, or build it again", param="ask.metrics")

    async def _settled(self, package: Package) -> State:
        while True:
            state = await self.state(package)
            if state.status not in ("PENDING", "BUILDING"):
                return state
            await asyncio.sleep(_LOOK)

    async def _ready(self, name: str, number: int, package: Package, state: State) -> Metric:
        """The same metric each time, as long as its sandbox is kept: what is made of it can be kept too."""
        sandbox = await self._sandbox(package)
        kept = self._metrics.setdefault(package.digest, {})
        if (name, number) not in kept:
            version = f"{number}-{package.digest}"
            declared = {"kind": package.gives, "sides": package.sides, "labels": package.labels}
            kept[name, number] = sandboxed(name, sandbox, state.described, version=version, **declared)
        return kept[name, number]

    async def close(self) -> None:
        """End all builds and processes."""
        await self._environments.close()
        for sandbox in self._sandboxes.values():
            await sandbox.end()

    async def _sandbox(self, package: Package) -> Sandbox:
        digest = package.digest
        found = self._sandboxes.pop(digest, None) or self._environments.sandbox(package, self._make_room)
        self._sandboxes[digest] = found
        while len(self._sandboxes) > KEPT:
            old, unused = self._sandboxes.popitem(last=False)
            self._metrics.pop(old, None)
            await unused.end()
        return found

    async def _make_room(self) -> None:
        """End the process that was used least recently where there are as many as may be."""
        alive = [sandbox for sandbox in self._sandboxes.values() if sandbox.alive]
        if len(alive) < PROCESSES:
            return
        idle = next((sandbox for sandbox in alive if not sandbox.busy), None)
        if idle is None:
            raise SandboxError(f"{PROCESSES} code metrics run already, which is as many as may at a time")
        await idle.end()


@lru_cache(maxsize=KEPT)
def _failing(name: str, kind: Kind, sides: frozenset[Side], labels: frozenset[str] | None, why: str) -> Metric:
    def fails(turn: Turn, side: Side) -> Failure:
        return Failure(why)

    return Metric(name, fails, kind=kind, sides=sides, labels=labels)


def _not_ready(name: str, package: Package, state: State) -> Metric:
    last = (state.log.splitlines() or [""])[-1]
    why = f"metric '{name}' is {state.status}{': ' if last else ''}{last}"[:500]
    return _failing(name, package.gives, frozenset(package.sides), package.labels, why)
