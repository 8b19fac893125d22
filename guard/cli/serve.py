"""`guard serve`: the proxy. `guard demo`: the proxy, shown at work. `guard key`: a key for an app."""

from __future__ import annotations

import math
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any

import typer
from rich.console import Console

from guard.cli.tls import LOOPBACK, scheme_of
from guard.errors import NoPolicy, SettingsError
from guard.keys import hash_key, make_key
from guard.policies import PolicySet, load_policies
from guard.proxy.auth import AppKeys
from guard.proxy.files import OTHERS, allow_files
from guard.proxy.mcp.servers import keys_of
from guard.settings import Settings

#: Seconds without an answer after which one of several workers counts as hung and is ended, with all that it serves.
#: uvicorn's own 5 pass where a machine is overloaded and a worker opens thousands of streams.
HUNG = 60


def serve(
    policy: Annotated[str | None, typer.Option(help="A policy file, a folder of them, or builtin/NAME.")] = None,
    upstream: Annotated[
        str | None, typer.Option(help="The provider: a base URL, litellm, litellm/NAME or demo.")
    ] = None,
    upstream_key_env: Annotated[str | None, typer.Option(help="The variable that holds the provider's key.")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    store: Annotated[str | None, typer.Option(help="Where events go: sqlite:///FILE, postgresql://… or none.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.")] = None,
    config: Annotated[Path | None, typer.Option(help="A file with these and all other settings.")] = None,
) -> None:
    """Serve the OpenAI-compatible proxy. What no flag says comes from GUARD_… variables, then from guard.yaml."""
    flags: dict[str, Any] = {
        "policy": policy,
        "upstream": upstream,
        "upstream_key_env": upstream_key_env,
        "host": host,
        "port": port,
        "store": store,
        "workers": workers,
    }
    settings = Settings.load(config, **flags)
    _say_what_is_served(settings)
    _allow_connections(settings)
    # Workers are fresh processes: they read the same settings from the environment.
    os.environ.update({f"GUARD_{name.upper()}": str(value) for name, value in flags.items() if value is not None})
    if settings.workers > 1 and not settings.redact_key.get_secret_value():
        os.environ["GUARD_REDACT_KEY"] = token_hex(32)
    if config:
        os.environ["GUARD_CONFIG"] = str(config)
    run(settings)


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    import uvicorn

    with ExitStack() as stack:
        if settings.metrics and settings.workers > 1:
            _share_figures(settings, stack)
        uvicorn.run(
            "guard.proxy.app:serving_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            log_level=settings.log_level,
            access_log=settings.log_level == "debug",
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.drain_timeout),
            ssl_context_factory=settings.tls,
            timeout_worker_healthcheck=HUNG,
        )


def demo(
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    keep: Annotated[bool, typer.Option(help="Keep serving afterwards, until Ctrl-C.")] = False,
) -> None:
    """Start Guard with the baseline policy, send real requests through the openai client, and show what happened."""
    from guard.cli.demo import show

    show(port=port, keep=keep)


def key(app: Annotated[str, typer.Argument(help="The app that the key is for.")]) -> None:
    """Make a key for an app: give the key to the app, and its hash to Guard's settings. It is shown only once."""
    made = make_key()
    console = Console()
    console.print(f"key, for the app (OPENAI_API_KEY): {made}", markup=False, soft_wrap=True)
    console.print(f"apps:\n  {app}: ['sha256:{hash_key(made)}']", markup=False, soft_wrap=True, highlight=False)


def _share_figures(settings: Settings, stack: ExitStack) -> None:
    """Let whichever process is scraped tell of all workers."""
    from guard.telemetry.running import metrics_port
    from guard.telemetry.workers import of_all, shared_folder

    folder = stack.enter_context(shared_folder())
    if settings.metrics_port:
        token = settings.metrics_token.get_secret_value()
        stack.callback(metrics_port(settings.host, settings.metrics_port, token, lambda: of_all(folder)))


def _say_what_is_served(settings: Settings) -> None:
    """Check all that can be checked before a worker starts, and warn of what is open to everyone."""
    console = Console(file=sys.stderr)
    keys = AppKeys.of(settings.apps)
    if settings.central:
        from guard.proxy.fleet import following_of

        following_of(settings)
        source = f"policies of {settings.project}/{settings.environment} at {settings.central}"
    else:
        source = "policy " + ", ".join(policy.label for policy in _policies(settings, keys).policies)
    keys_of(settings)
    if settings.upstream_key_env and not os.environ.get(settings.upstream_key_env):
        raise SettingsError(f"upstream_key_env: the variable {settings.upstream_key_env} is not set; set it")
    console.print(f"Guard: {source}; upstream {settings.upstream}; events in {settings.store}", markup=False)
    scheme = scheme_of(settings, console)
    console.print(f"Apps use {scheme}://{settings.host}:{settings.port}/v1 as their OpenAI base URL.", markup=False)
    if not keys.required and not settings.central and settings.host not in LOOPBACK:
        console.print("warning: no app keys are set, so anyone who reaches this port can use it; see: guard key")


def _allow_connections(settings: Settings) -> None:
    """Let a worker have all the connections that its settings let in, or warn that it cannot."""
    # One of the caller, one of the provider.
    wanted = 2 * (settings.max_requests + settings.max_streams) + settings.queue + OTHERS
    allowed = allow_files(wanted)
    if allowed < wanted:
        Console(file=sys.stderr).print(
            f"warning: a worker may have {allowed:,} files open, and its settings let in what needs {wanted:,}; "
            "raise the limit (ulimit -Hn), use more workers, or lower max_requests and max_streams",
            soft_wrap=True,
        )


def _policies(settings: Settings, keys: AppKeys) -> PolicySet:
    """The policies of the settings, those that keys name among them. Raises PolicyError and SettingsError."""
    policies = load_policies(settings.policy)
    for name in sorted(keys.policies):
        try:
            policies.select(name=name)
        except NoPolicy as error:
            raise SettingsError(f"apps: {error}") from None
    return policies
