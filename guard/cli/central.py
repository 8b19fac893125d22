"""`guard central`: the control plane, set up, served and asked."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from guard.cli import central_remote
from guard.cli.tls import LOOPBACK, scheme_of
from guard.errors import SettingsError

app = typer.Typer(help="The control plane for many proxies and apps.", no_args_is_help=True)

app.command("fleet")(central_remote.fleet)
app.add_typer(central_remote.keys, name="key")

Config = Annotated[Path | None, typer.Option(help="A file with all settings; default: central.yaml, if there.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database", help="sqlite:///FILE or postgresql://….")]


@app.command()
def init(
    database: DatabaseUrl = None,
    signing_key: Annotated[str | None, typer.Option(help="The file for the key that signs bundles.")] = None,
    config: Config = None,
) -> None:
    """Make database and signing key where there are none, and another key for an admin, which is shown this once."""
    from guard.central.central import open_database
    from guard.central.change import changing
    from guard.central.principal import OPERATOR
    from guard.central.records import keys
    from guard.central.settings import CentralSettings
    from guard.policies.signature import Signer

    settings = CentralSettings.load(config, database=database, signing_key=signing_key)
    file = Path(settings.signing_key)
    if not file.exists():
        Signer.new().write(file)
    public = Signer.read(file).public

    async def work() -> str:
        opened = await open_database(settings.database, create=True)
        try:
            async with changing(opened, OPERATOR, "guard central init") as change:
                return (await keys.create(change, "admin", "admin", project=None))[1]
        finally:
            await opened.close()

    key = asyncio.run(work())
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"key of an admin (shown only once): {key}")
    console.print(f"public key, for the proxies' central_trust: {public}")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    database: DatabaseUrl = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.")] = None,
    config: Config = None,
) -> None:
    """Serve the control plane. What no flag says comes from GUARD_CENTRAL_… variables, then from central.yaml."""
    from guard.central.settings import CentralSettings

    flags: dict[str, Any] = {"host": host, "port": port, "database": database, "workers": workers}
    settings = CentralSettings.load(config, **flags)
    if not Path(settings.signing_key).is_file():
        raise SettingsError(f"signing_key: there is no {settings.signing_key}; make it with: guard central init")
    # Workers are fresh processes: they read the same settings from the environment.
    given = {name: str(value) for name, value in flags.items() if value is not None}
    os.environ.update({f"GUARD_CENTRAL_{name.upper()}": value for name, value in given.items()})
    if config:
        os.environ["GUARD_CENTRAL_CONFIG"] = str(config)
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    scheme = scheme_of(settings, console)
    console.print(f"Guard central: {scheme}://{settings.host}:{settings.port}/docs shows all routes.")
    if scheme == "http" and settings.host not in LOOPBACK:
        console.print("warning: without TLS keys can be read on the way; set tls_certificate and tls_key")
    _run(settings)


def _run(settings: Any) -> None:
    import uvicorn

    uvicorn.run(
        "guard.central.app:serving_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_level=settings.log_level,
        access_log=settings.log_level == "debug",
        server_header=False,
        timeout_graceful_shutdown=5,
        ssl_context_factory=settings.tls,
    )
