"""The figures of several worker processes, as one: each keeps a file of its own in a folder that all of them read.

A worker holds a place in the folder, and the lock of it, as long as it lives. Whoever takes the place of one that died
goes on from its counts: so counts never fall, and there are never more files than there were workers at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import orjson

from guard.telemetry.tally import Series, Tally, from_plain, merged, to_plain, without_gauges

#: The variable that names the folder to workers; `guard serve` sets it where it starts several.
FOLDER = "GUARD_METRICS_FOLDER"


class Place:
    """One worker's place in the folder."""

    def __init__(self, folder: Path, number: int, lock: int) -> None:
        self.folder = folder
        self.number = number
        self._lock = lock

    @classmethod
    def take(cls, folder: Path, tally: Tally) -> Place:
        """The first free place; the tally goes on from what was counted there. Raises OSError."""
        for number in count():
            lock = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            if _locked(lock):
                tally.resume(_read(folder / f"{number}.json"))
                return cls(folder, number, lock)
            os.close(lock)
        raise AssertionError

    def write(self, series: Series) -> None:
        """Let the other workers see the numbers."""
        file = self.folder / f"{self.number}.json"
        fresh = file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(to_plain(series)))
        fresh.replace(file)

    def leave(self) -> None:
        """Give the place free; what was counted stays."""
        os.close(self._lock)


def of_all(folder: Path, place: Place | None = None, own: Series | None = None) -> Series:
    """The numbers of every worker: of the one at `place` its `own`, of the others what they wrote last.

    Of those that have ended the gauges do not count: nothing is in flight there any more.
    """
    series = [own] if own is not None else []
    for file in sorted(folder.glob("*.json")):
        if place is None or file.stem != str(place.number):
            one = _read(file)
            series.append(one if _alive(file.with_suffix(".lock")) else without_gauges(one))
    return merged(series)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder for the workers that are started within, which find it in their environment."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="guard-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop(FOLDER, None)


def _alive(file: Path) -> bool:
    try:
        lock = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _locked(lock)
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(file: Path) -> Series:
    """What a file holds; nothing where it is not there or not whole."""
    with suppress(OSError, ValueError, TypeError):
        return from_plain(orjson.loads(file.read_bytes()))
    return {}
