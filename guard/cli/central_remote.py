"""What of central is asked over its API: the fleet, and keys."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from guard.client import Client
from guard.client.records import MadeKey, ProxyState
from guard.errors import SettingsError

Url = Annotated[str, typer.Option(help="Where central is.", envvar="GUARD_CENTRAL")]
KeyEnv = Annotated[str, typer.Option(help="The variable that holds a key for it.")]
Project = Annotated[str | None, typer.Option(help="A project; without it: all, or the organisation's own.")]
HOME = "http://127.0.0.1:8788"
KEY = "GUARD_CENTRAL_KEY"

keys = typer.Typer(help="API keys: made, listed, replaced, taken back.", no_args_is_help=True)


def fleet(url: Url = HOME, key_env: KeyEnv = KEY, project: Project = None) -> None:
    """Every proxy that reported in the last day: what is in force there, and who lags. Exits with 1 where one does."""
    with _client(url, key_env, project) as client:
        rows = client.fleet.list(limit=None)
    table = Table(
        "proxy", "project", "bundle", "state", "checks", "heard", box=None, header_style="dim", pad_edge=False
    )
    for row in rows:
        report = row.report
        state, style = _state(row)
        checks = ", ".join(f"{count} {status}" for status, count in sorted(report["statuses"].items()))
        where = f"{row.project}/{row.environment}"
        table.add_row(
            Text(report["instance"]), Text(where), f"{report['sequence']} of {row.newest}", Text(state, style=style),
            Text(checks), _time(row.reported_at),
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    wrong = sum(_state(row)[0] != "up to date" for row in rows)
    console.print(f"{len(rows)} proxies, {wrong} not up to date", style="yellow" if wrong else "green")
    raise typer.Exit(1 if wrong else 0)


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whom the key is for; it stands in the audit log.")],
    role: Annotated[str, typer.Option(help="admin, editor, viewer, app or proxy.")],
    project: Project = None,
    app: Annotated[str | None, typer.Option(help="The app, for the role app.")] = None,
    why: Annotated[str, typer.Option(help="Why; it stands in the audit log.")] = "",
    url: Url = HOME,
    key_env: KeyEnv = KEY,
) -> None:
    """Make a key. It is shown only once."""
    with _client(url, key_env, project) as client:
        _show_key(client.keys.create(name, role, app=app, why=why))


@keys.command("list")
def list_keys(project: Project = None, url: Url = HOME, key_env: KeyEnv = KEY) -> None:
    """The keys, without what makes them keys."""
    table = Table("id", "name", "role", "app", "made", "state", box=None, header_style="dim", pad_edge=False)
    with _client(url, key_env, project) as client:
        made = client.keys.list(limit=None)
    for key in made:
        state = "revoked" if key.revoked_at else f"until {_time(key.expires_at)}" if key.expires_at else "in use"
        table.add_row(key.id, Text(key.name), key.role, Text(key.app or ""), _time(key.created_at), state)
    Console(highlight=False).print(table)


@keys.command("rotate")
def rotate(
    key: Annotated[str, typer.Argument(help="The key's id.")],
    grace: Annotated[float, typer.Option(help="Seconds for which the old one goes on.")] = 0.0,
    project: Project = None,
    why: Annotated[str, typer.Option(help="Why; it stands in the audit log.")] = "",
    url: Url = HOME,
    key_env: KeyEnv = KEY,
) -> None:
    """Make a new key in the place of one. It is shown only once."""
    with _client(url, key_env, project) as client:
        _show_key(client.keys.rotate(key, grace=grace, why=why))


@keys.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id.")],
    project: Project = None,
    why: Annotated[str, typer.Option(help="Why; it stands in the audit log.")] = "",
    url: Url = HOME,
    key_env: KeyEnv = KEY,
) -> None:
    """Take a key back."""
    with _client(url, key_env, project) as client:
        gone = client.keys.revoke(key, why=why)
    Console(highlight=False).print(f"{gone.id} ({gone.name}) opens nothing any more", markup=False)


def _state(row: ProxyState) -> tuple[str, str]:
    """What is to be said of a proxy, and in which colour."""
    problem = (row.report["problem"] or "").partition("\n")[0]
    if row.wrong:
        return "says what was never released", "bold red"
    if row.silent:
        return "silent", "red"
    if row.lags:
        return f"{row.lags} behind{': ' + problem if problem else ''}", "yellow"
    return (problem, "yellow") if problem else ("up to date", "green")


def _show_key(made: MadeKey) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"key {made.id} (shown only once): {made.key}")


def _client(url: str, key_env: str, project: str | None) -> Client:
    key = os.environ.get(key_env)
    if not key:
        raise SettingsError(f"--key-env: the variable {key_env} is not set; put a key of central's into it")
    return Client(url, key, project=project)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
