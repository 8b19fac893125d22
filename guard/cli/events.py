"""`guard events`: what was decided, read back from the store."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from guard.cli.event_export import pages, write_csv, write_json, writing
from guard.cli.event_view import show_event, show_events
from guard.errors import SettingsError, StoreError, nearest
from guard.settings import Settings
from guard.stages import Status
from guard.store import Buffer, Event, Filter, Store, open_store, spool_folder

app = typer.Typer(help="What was decided: list, show, follow and export the events.", no_args_is_help=True)

StoreUrl = Annotated[
    str | None, typer.Option("--store", help="sqlite:///FILE, a path or postgresql://…; default: the setting.")
]
StatusName = Annotated[str | None, typer.Option("--status", help=f"One of {', '.join(Status)}.")]
AppName = Annotated[str | None, typer.Option("--app", help="Only this app's.")]
StageName = Annotated[str | None, typer.Option("--stage", help="Only this stage's.")]
PolicyName = Annotated[str | None, typer.Option("--policy", help="Only this policy's.")]
Since = Annotated[
    str | None, typer.Option("--since", help="30s, 15m, 1h, 7d, or a date and time such as 2026-03-01T12:00.")
]

_AGO = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: Seconds between two looks for new events.
_POLL = 0.5


class Format(StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command("list")
def list_events(
    store: StoreUrl = None,
    status: StatusName = None,
    app_name: AppName = None,
    stage: StageName = None,
    policy: PolicyName = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
) -> None:
    """The newest events, the newest first."""
    wanted = _filter(status, app_name, stage, policy, since)

    async def work() -> None:
        async with _opened(store) as events:
            show_events(_console(), await events.newest(wanted, limit=limit))

    asyncio.run(work())


@app.command()
def show(
    identifier: Annotated[str, typer.Argument(help="An event's or a request's id, or enough of its beginning.")],
    store: StoreUrl = None,
) -> None:
    """One event in full, and the others of its request; or all events of a request in full."""

    async def work() -> None:
        async with _opened(store) as events:
            found = _chosen(identifier, await events.find(identifier, limit=200))
            console = _console()
            for event in found:
                show_event(console, event)
            others = [event for event in await events.of_request(found[0].request) if event not in found]
            if others:
                console.print("others of this request", style="bold")
                show_events(console, others)

    asyncio.run(work())


@app.command()
def tail(
    store: StoreUrl = None,
    status: StatusName = None,
    app_name: AppName = None,
    stage: StageName = None,
    policy: PolicyName = None,
    number: Annotated[int, typer.Option("-n", min=0, help="How many of those that are there already.")] = 10,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as they come, until Ctrl-C.")] = False,
) -> None:
    """The newest events, the newest last; with -f also those that come."""
    wanted = _filter(status, app_name, stage, policy, None)

    async def work() -> None:
        async with _opened(store) as events:
            console = _console()
            place = await events.place()
            show_events(console, (await events.newest(wanted, limit=number))[::-1] if number else [])
            while follow:
                await asyncio.sleep(_POLL)
                arrived = await events.tail(place, wanted)
                place = arrived.place
                show_events(console, arrived.events, header=False)

    with suppress(KeyboardInterrupt):
        asyncio.run(work())


@app.command()
def export(
    store: StoreUrl = None,
    status: StatusName = None,
    app_name: AppName = None,
    stage: StageName = None,
    policy: PolicyName = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many; default: all.")] = None,
    format: Annotated[Format, typer.Option("--format", help="jsonl: all of it; csv: a table.")] = Format.JSONL,  # noqa: A002
    out: Annotated[Path | None, typer.Option("--out", help="A file; default: standard output.")] = None,
) -> None:
    """All events in the order they arrived in, for other programs."""
    wanted = _filter(status, app_name, stage, policy, since)

    async def work() -> int:
        async with _opened(store) as events:
            write = write_json if format is Format.JSONL else write_csv
            with writing(out) as file:
                return await write(pages(events, wanted, limit), file)

    with Console(stderr=True).status("exporting …") if out else nullcontext():
        count = asyncio.run(work())
    if out:
        Console(stderr=True).print(f"{count} events in {out}", markup=False)


@asynccontextmanager
async def _opened(url: str | None) -> AsyncIterator[Store]:
    """The store to read, with what dead processes left for it taken up."""
    settings = Settings.load()
    url = url or settings.store
    if url in ("none", "memory"):
        raise SettingsError(
            f"the store '{url}' keeps nothing that can be read here; name one: --store sqlite:///guard.db"
        )
    store = await open_store(url, create=False)
    try:
        own = settings.spool if url == settings.store else ""
        folder = Path(own) if own else spool_folder(url)
        if folder.is_dir():
            await _take_up(store, folder)
        yield store
    finally:
        await store.close()


async def _take_up(store: Store, folder: Path) -> None:
    try:
        async with Buffer(store, folder) as buffer:
            await buffer.flush()
    except StoreError as error:
        # Reading needs no right to write: what is in the store can be shown all the same.
        Console(stderr=True).print(f"not shown is what may wait in {folder}: {error}", markup=False, style="yellow")


def _chosen(identifier: str, found: list[Event]) -> list[Event]:
    """The event with that id, or the one event or the one request's events that begin so."""
    exact = [event for event in found if event.id == identifier] or [e for e in found if e.request == identifier]
    chosen = exact or found
    if not chosen:
        raise SettingsError(f"no event or request begins with '{identifier}'; `guard events list` shows the newest")
    if len(chosen) > 1 and len({event.request for event in chosen}) > 1:
        some = "\n".join(f"  {event.id}  request {event.request}" for event in chosen[:5])
        raise SettingsError(f"several events begin with '{identifier}'; give more of the one you mean:\n{some}")
    return chosen


def _filter(
    status: str | None, app_name: str | None, stage: str | None, policy: str | None, since: str | None
) -> Filter:
    if status is not None and status not in list(Status):
        raise SettingsError(f"--status: no status '{status}'; {nearest(status, Status)}")
    return Filter(
        status=status, app=app_name, stage=stage, policy=policy, since=None if since is None else _moment(since)
    )


def _moment(since: str) -> float:
    """UTC epoch seconds of `1h` (ago) or of an ISO date and time, local where it names no zone."""
    ago = _AGO.fullmatch(since)
    if ago:
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(since).timestamp()
    except (ValueError, OverflowError):
        raise SettingsError(f"--since: '{since}' is no time; write 30s, 15m, 1h, 7d or 2026-03-01T12:00") from None


def _console() -> Console:
    """The terminal; a pipe is taken for one of a hundred columns."""
    return Console() if sys.stdout.isatty() else Console(width=100)
