"""LiteLLM's proxy, in an environment of its own that the first run makes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.servers import HERE, free_port, process

#: Never installed into Guard's own environment: it pins much of what Guard uses.
PACKAGE = "litellm[proxy]==1.106.2"
VENV = Path(os.environ.get("BENCH_LITELLM", HERE.parent / ".venv-litellm"))
INSTALLS = 900
#: Without keys, as Guard runs here too; and without our own modules on its path.
ENVIRONMENT = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "PYTHONPATH": ""}
CONFIG = """
model_list:
  - model_name: canned
    litellm_params: {{model: openai/canned, api_base: "{upstream}/v1", api_key: none}}
litellm_settings: {{telemetry: false}}
"""


class NotThere(Exception):
    """It cannot be had here; the message says why."""


def installed() -> Path:
    """Its command, installed once. Raises NotThere."""
    command = VENV / "bin" / "litellm"
    if command.exists():
        return command
    python = VENV / "bin" / "python"
    steps = ([sys.executable, "-m", "venv", str(VENV)], [str(python), "-m", "pip", "install", "--quiet", PACKAGE])
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=INSTALLS)
        except subprocess.TimeoutExpired:
            raise NotThere(f"{PACKAGE} was not installed within {INSTALLS} s") from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NotThere(f"{PACKAGE} cannot be installed here: {last[:200]}") from None
    return command


@contextmanager
def litellm(upstream: str, folder: str) -> Iterator[tuple[str, int]]:
    """LiteLLM's proxy before a provider; its base URL and pid. Raises NotThere."""
    command = installed()
    config, port = Path(folder, "litellm.yaml"), free_port()
    config.write_text(CONFIG.format(upstream=upstream))
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    with ExitStack() as stack:
        started = process(
            *options, program=str(command), quiet=True, port=port, path="/health/liveliness", **ENVIRONMENT
        )
        try:
            server = stack.enter_context(started)
        except RuntimeError as error:
            raise NotThere(f"LiteLLM's proxy did not start: {error}") from None
        yield server
