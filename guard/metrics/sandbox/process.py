"""A process that runs somebody's function behind walls: started, asked, stopped between calls, killed when late."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from guard.errors import GuardError

#: Isolated from what else is installed, and without `site`: a package's .pth files would run before the walls stand.
_PROGRAM = (
    *(sys.executable, "-I", "-S", "-B", "-c"),
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('inside', run_name='__main__')",
    str(Path(__file__).parent),
)
#: Bytes of an answer, and calls that wait for their turn; more are refused.
_ANSWER = 1_000_000
_WAITING = 64
#: What must stand for code to run at all; a network of its own is one wall more where the kernel allows it.
NEEDED = ("limits", "files", "calls")


class SandboxError(GuardError):
    """The function could not be loaded or asked; `late` that it took too long. Says what to show, not whom to blame."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        self.late = late
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may take. `seconds` of a call, `start` of loading; `memory` in bytes of address space.

    `cpu` are seconds of the process's whole life, after which another takes its place. `walls` have to stand.
    """

    seconds: float = 5.0
    start: float = 60.0
    memory: int = 1 << 30
    cpu: int = 3600
    walls: tuple[str, ...] = NEEDED


@dataclass(frozen=True, slots=True)
class Described:
    """What the code says of itself: its parameters (name, kind, whether it has a default), `score_type`, the walls."""

    parameters: tuple[tuple[str, str, bool], ...]
    gives: str | None
    walls: Mapping[str, str]


class Sandbox:
    """One function, in one process at a time, one call after the other; the process is made when it is needed.

    Whatever goes wrong ends the process, so that the next call gets a fresh one. To be used on one event loop.
    """

    def __init__(
        self,
        code: str,
        function: str,
        packages: Sequence[Path] = (),
        limits: Limits = Limits(),
        make_room: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`packages` are folders that the code may import from; `make_room` is awaited before a process is made."""
        self.limits = limits
        self._make_room = make_room
        self._asked = {
            "code": code,
            "function": function,
            "packages": [str(one) for one in packages],
            "memory": self.limits.memory,
            "cpu": self.limits.cpu,
            "walls": self.limits.walls,
        }
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    @property
    def alive(self) -> bool:
        """Whether there is a process now."""
        return self._process is not None and self._process.returncode is None

    @property
    def busy(self) -> bool:
        """Whether a call is under way, or waits."""
        return self._waiting > 0

    async def describe(self) -> Described:
        """Load the code in a fresh process; what it says. Raises SandboxError."""
        async with self._turn:
            await self.end()
            return await self._start()

    async def call(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """What the function gives. Raises SandboxError."""
        if self._waiting >= _WAITING:
            raise SandboxError("too many calls wait for this metric")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._call(arguments, named)
        finally:
            self._waiting -= 1

    async def end(self) -> None:
        """Kill the process with all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        self._writer.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _call(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        done = False
        try:
            if not self.alive:
                await self._start()
            self._signal(signal.SIGCONT)
            asked = {"id": token_hex(8), "arguments": arguments, "named": named}
            answer = await self._exchange(asked, self.limits.seconds, "a call")
            if answer.get("id") != asked["id"]:
                raise SandboxError("the metric wrote something else than its answer")
            # Between calls nothing of it runs: it may have left threads behind.
            self._signal(signal.SIGSTOP)
            done = not answer.get("last")
            if "error" in answer:
                raise SandboxError(str(answer["error"])[:500])
            return answer.get("value")
        finally:
            if not done:  # also when the caller does not wait any longer
                await self.end()

    async def _start(self) -> Described:
        if self._make_room is not None:
            await self._make_room()
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *_PROGRAM,
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                cwd="/",  # it may not read there either; what is beside its code comes by `packages`
                # Nothing of ours: keys are in the environment. One thread each: libraries else start one a core.
                env={"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HOME": "/nonexistent"},
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise SandboxError(f"no process could be started: {error.strerror}") from None
        finally:
            theirs.close()
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=_ANSWER)
        started = False
        try:
            answer = await self._exchange(self._asked, self.limits.start, "loading")
            if "error" in answer:
                raise SandboxError(str(answer["error"])[:500])
            try:
                parameters = tuple((str(name), str(kind), bool(given)) for name, kind, given in answer["parameters"])
                described = Described(parameters, answer["gives"], dict(answer["walls"]))
            except (KeyError, TypeError, ValueError):
                raise SandboxError("the code wrote something else than what is asked while it was loaded") from None
            started = True
            return described
        finally:
            if not started:
                await self.end()

    async def _exchange(self, asked: Mapping[str, Any], seconds: float, what: str) -> dict[str, Any]:
        content = json.dumps(asked).encode()
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(len(content).to_bytes(4, "big") + content)
                await self._writer.drain()
                size = int.from_bytes(await self._reader.readexactly(4), "big")
                if size > _ANSWER:
                    raise SandboxError("the metric wrote something else than its answer")
                answer = json.loads(await self._reader.readexactly(size))
        except TimeoutError:
            raise SandboxError(f"{what} took longer than {seconds:g} s", late=True) from None
        except (asyncio.IncompleteReadError, OSError):
            raise SandboxError(f"the metric's process ended during {what}: {await self._why()}") from None
        except (ValueError, RecursionError):
            raise SandboxError("the metric wrote something else than its answer") from None
        if not isinstance(answer, dict):
            raise SandboxError("the metric wrote something else than its answer")
        return answer

    async def _why(self) -> str:
        """How the process ended; it may need a moment to be gone."""
        assert self._process is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._process.wait()
        code = self._process.returncode
        if code is None:
            return "it closed its wire"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
