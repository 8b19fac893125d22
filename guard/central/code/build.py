"""An environment for uploaded code: made with venv and pip, in a process that is killed when it takes too long.

Only wheels are installed, so nothing of a package runs while it is built; the first code of it that runs, runs behind
the sandbox's walls.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from guard.errors import GuardError

#: Characters of a log that are kept, its end; and bytes of an environment.
LOG = 20_000
SIZE = 2 << 30
#: What venv and pip may know of this process: how to reach the index, and no secret of Guard's.
_PASSED = re.compile(
    r"(?i)^(PATH|HOME|LANG|TMPDIR|XDG_.*|PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|(https?|no|all)_proxy)$"
)
_PASSWORD = re.compile(r"(://)[^/@\s]+@")


class BuildError(GuardError):
    """The environment could not be built; the message is the log's end."""


async def build(requirements: Sequence[str], folder: Path, seconds: float) -> None:
    """Make a virtual environment with these in `folder`, anew. Raises BuildError."""
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    if not requirements:
        return
    try:
        async with asyncio.timeout(seconds):
            await _run(sys.executable, "-I", "-m", "venv", str(folder))
            wanted = ("--only-binary", ":all:", "--no-input", "--no-cache-dir", "--progress-bar", "off")
            await _run(str(folder / "bin" / "python"), "-I", "-m", "pip", "install", *wanted, "--", *requirements)
    except TimeoutError:
        raise BuildError(f"building took longer than {seconds:g} s (code_build_seconds)") from None
    size = await asyncio.to_thread(_size, folder)
    if size > SIZE:
        raise BuildError(f"the environment takes {size:,} bytes, and may take {SIZE:,}; ask for less")


def packages(folder: Path) -> list[Path]:
    """Where an environment's packages are; none where nothing was asked for."""
    return sorted((folder / "lib").glob("python*/site-packages"))


async def _run(*command: str) -> None:
    """Run a command to its end, killing all of it when this is cancelled. Raises BuildError with its output."""
    environment = {name: value for name, value in os.environ.items() if _PASSED.match(name)}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environment, start_new_session=True
    )
    assert process.stdout is not None
    log = b""
    try:
        while more := await process.stdout.read(1 << 16):
            log = (log + more)[-LOG:]
        status = await process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if status:
        raise BuildError(_PASSWORD.sub(r"\1***@", log.decode(errors="replace")).strip() or f"exit status {status}")


def _size(folder: Path) -> int:
    return sum(one.lstat().st_size for one in folder.rglob("*"))
