"""Events for other programs: JSON lines, or a table for spreadsheets."""

from __future__ import annotations

import csv
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from guard.errors import SettingsError
from guard.store import Event, Filter, Store


async def pages(store: Store, wanted: Filter, limit: int | None) -> AsyncIterator[list[Event]]:
    """What is wanted of all that is in the store now, in the order of its arrival, a thousand at a time."""
    place, end, left = 0, await store.place(), limit
    while place < end and left != 0:
        arrived = await store.tail(place, wanted, limit=1000 if left is None else min(left, 1000))
        place = arrived.place
        left = None if left is None else left - len(arrived.events)
        yield arrived.events


async def write_json(found: AsyncIterator[list[Event]], file: TextIO) -> int:
    """A line for each event, all of it. Returns how many."""
    count = 0
    async for events in found:
        file.writelines(event.to_json().decode() + "\n" for event in events)
        count += len(events)
    return count


#: The columns of a table for spreadsheets. What has more than one value is only in jsonl.
_CSV = (
    "id", "request", "at", "project", "app", "policy", "revision", "stage", "kind", "status", "action", "ruleset",
    "millis", "explanation",
)  # fmt: skip


async def write_csv(found: AsyncIterator[list[Event]], file: TextIO) -> int:
    """A table, a row for each event. Returns how many."""
    count = 0
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*_CSV, "user", "session", "text"))
    async for events in found:
        writer.writerows(_cells(event) for event in events)
        count += len(events)
    return count


def _cells(event: Event) -> list[Any]:
    labels = [event.labels.get("user"), event.labels.get("session")]
    text = "\n".join(passage for passages in event.text.values() for passage in passages)
    return [_no_formula(value) for value in (*(getattr(event, name) for name in _CSV), *labels, text)]


def _no_formula(value: Any) -> Any:
    """A spreadsheet would compute a text that begins like a formula, and users write the texts."""
    return "'" + value if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


@contextmanager
def writing(out: Path | None) -> Iterator[TextIO]:
    """The file, or standard output. Raises SettingsError where it cannot be written."""
    try:
        if out is None:
            yield sys.stdout
        else:
            with out.open("w", encoding="utf-8", newline="") as file:
                yield file
    except BrokenPipeError:
        raise  # the reader of a pipe has had enough, which is no error of ours
    except OSError as error:
        raise SettingsError(
            f"{out or 'the output'} cannot be written ({error.strerror}); name a file with --out"
        ) from None
