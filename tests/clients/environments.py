"""Python environments for clients that others wrote: each has its own, made once and kept in pytest's cache."""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Seconds that an installation may take.
PATIENCE = 900


def environment(config: pytest.Config, name: str, *installs: str) -> Path:
    """The folder of the environment's programs. `installs` are the arguments of one `pip install` each.

    Skips the test where pip cannot install them here.
    """
    version = hashlib.sha256(repr((sys.version, installs)).encode()).hexdigest()[:12]
    folder = config.cache.mkdir("environments") / f"{name}-{version}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            for install in installs:
                _install(folder, name, install.split())
            (folder / "made").touch()
    return folder / "bin"


def plain() -> dict[str, str]:
    """The variables for a program of such an environment: nothing of ours is on its path."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "NO_PROXY": "127.0.0.1"}


def _install(folder: Path, name: str, arguments: list[str]) -> None:
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile", *arguments]
    try:
        done = subprocess.run(command, env=plain(), capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{name} was not installed within {PATIENCE} seconds")
    if done.returncode:
        pytest.skip(f"pip cannot install {name} here: {done.stderr.strip().splitlines()[-1]}")
