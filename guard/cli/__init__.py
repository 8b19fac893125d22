"""The command `guard`."""

from __future__ import annotations

import sys

import typer

from guard.cli import central, check, events, metrics, policy, serve, train
from guard.errors import GuardError

app = typer.Typer(
    name="guard",
    help="Guard stands between apps and language models and keeps both safe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("demo")(serve.demo)
app.command("key")(serve.key)
app.command("check")(check.check)
app.command("train")(train.train)
app.add_typer(policy.app, name="policy")
app.add_typer(metrics.app, name="metrics")
app.add_typer(events.app, name="events")
app.add_typer(central.app, name="central")


def main() -> None:
    """Run the command. An error of ours is told in its own words, without a stack trace, and the exit status is 2."""
    try:
        app()
    except GuardError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the terminal is where a command speaks
        raise SystemExit(2) from None
