"""The environments of one machine: what became of each package here, kept beside it on disk.

A package's state belongs to the machine and not to the records: another machine of the same central builds its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from guard.central.code.build import BuildError, build, packages
from guard.central.code.package import Package
from guard.errors import MetricError
from guard.metrics.sandbox import Described, Limits, Sandbox, SandboxError, sandboxed

log = logging.getLogger(__name__)

Status: TypeAlias = Literal["PENDING", "BUILDING", "READY", "FAILED"]

#: Builds at a time, builds that wait for it, and environments that are kept: those used last.
TOGETHER, WAITING, KEPT = 2, 100, 100


class State(BaseModel):
    """What became of a package on this machine: `log` says why it failed, `walls` which do not stand, and why."""

    status: Status
    log: str = ""
    walls: dict[str, str] = {}
    parameters: tuple[tuple[str, str, bool], ...] = ()
    gives: str | None = None

    @property
    def described(self) -> Described:
        """What the code said of itself when it was built."""
        return Described(self.parameters, self.gives, self.walls)


class Environments:
    """Builds packages in the background and remembers how it went, in `folder`; processes may share it."""

    def __init__(self, folder: Path, limits: Limits, seconds: float) -> None:
        self._folder = folder
        self._limits = limits
        self._seconds = seconds
        self._building: dict[str, asyncio.Task[None]] = {}
        self._begun: set[str] = set()
        self._together = asyncio.Semaphore(TOGETHER)

    async def state(self, package: Package) -> State:
        """How it stands; a package that nobody has built here begins to be built."""
        digest = package.digest
        if digest not in self._building:
            known = await asyncio.to_thread(self._known, digest)
            if known is not None:
                return known
            if len(self._building) < WAITING and digest not in self._building:
                task = asyncio.create_task(self._build(package))
                self._building[digest] = task
                task.add_done_callback(lambda _: self._building.pop(digest, None))
        return State(status="BUILDING" if digest in self._begun else "PENDING")

    async def again(self, package: Package) -> State:
        """Build once more what failed, for another reason than itself perhaps: an index that was away."""
        known = await self.state(package)
        if known.status == "FAILED":
            await asyncio.to_thread(self._file(package.digest).unlink, missing_ok=True)
        return await self.state(package)

    def sandbox(self, package: Package, make_room: Callable[[], Awaitable[None]] | None = None) -> Sandbox:
        """A sandbox for a package whose environment is built."""
        folders = packages(self._folder / package.digest)
        return Sandbox(package.code, package.function, folders, self._limits, make_room)

    async def close(self) -> None:
        """End what is being built; it begins again when it is asked for."""
        tasks = list(self._building.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _build(self, package: Package) -> None:
        digest = package.digest
        async with self._together, self._alone(digest):
            self._begun.add(digest)
            try:
                if await asyncio.to_thread(self._known, digest) is None:  # else another process was faster
                    state = await self._built(package)
                    await asyncio.to_thread(self._keep, digest, state)
            except OSError as error:
                log.error("the environments in %s cannot be kept: %s", self._folder, error.strerror)
            finally:
                self._begun.discard(digest)

    async def _built(self, package: Package) -> State:
        try:
            await build(package.requirements, self._folder / package.digest, self._seconds)
            sandbox = self.sandbox(package)
            try:
                said = await sandbox.describe()
            finally:
                await sandbox.end()
            sandboxed("metric", sandbox, said, version="", kind=package.gives, sides=package.sides)
        except (BuildError, SandboxError, MetricError) as error:
            return State(status="FAILED", log=str(error))
        return State(status="READY", walls=dict(said.walls), parameters=said.parameters, gives=said.gives)

    def _known(self, digest: str) -> State | None:
        file = self._file(digest)
        try:
            state = State.model_validate_json(file.read_bytes())
            os.utime(file)
        except (OSError, ValidationError):
            return None
        return state

    def _keep(self, digest: str, state: State) -> None:
        new = self._file(digest).with_suffix(".new")
        new.write_text(state.model_dump_json(), encoding="utf-8")
        new.replace(self._file(digest))
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in files[KEPT:]:
            old.unlink(missing_ok=True)
            shutil.rmtree(old.with_suffix(""), ignore_errors=True)

    def _file(self, digest: str) -> Path:
        return self._folder / f"{digest}.json"

    @asynccontextmanager
    async def _alone(self, digest: str) -> AsyncIterator[None]:
        """Hold what only one process of this machine may hold at a time."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        held = os.open(self._folder / f"{digest}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.2)
            yield
        finally:
            os.close(held)
