"""Events on disk, on their way to the store: what a killed process leaves, and what waits while the store is down.

A line holds the CRC-32 of an event's JSON in eight hexadecimal digits, a space, the JSON and a newline. Each process
writes files of its own and holds a lock on them (flock, which the kernel lets go of when the process dies), so a file
whose lock can be taken is one that a dead process left. Lines are handed to the kernel, not synced to the disk: they
outlive the process, however it ends, but the last of them not a power failure.
"""

from __future__ import annotations

import fcntl
import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from guard.errors import StoreError
from guard.store.event import Event
from guard.store.ids import new_id

log = logging.getLogger(__name__)

_SUFFIX = ".spool"
#: A batch that is read back holds little more than this, however few lines that is.
BATCH_BYTES = 8_000_000


class Batch(NamedTuple):
    """Events of a spool, how many lines among them were torn (cut short or damaged), and where they begin and end."""

    events: list[Event]
    torn: int
    start: int
    end: int


class Spool:
    """One file of events. It remembers how far it was read, so that what the store took is not read again.

    `left_over` says that a dead process wrote it.
    """

    def __init__(self, path: Path, descriptor: int, *, left_over: bool) -> None:
        """`descriptor` is the file, opened for reading and appending and locked; it is closed with the spool."""
        self.path = path
        self.left_over = left_over
        self.size = os.fstat(descriptor).st_size
        self.read_to = 0
        self._file = os.fdopen(descriptor, "r+b", buffering=0)

    @classmethod
    def open(cls, folder: Path) -> Spool:
        """A new, empty spool of this process. Raises StoreError where the folder cannot be written."""
        path = folder / f"{new_id()}-{os.getpid()}{_SUFFIX}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _folder_locked(folder):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"events cannot wait in {folder} ({error.strerror}); "
                "make it writable, or name another folder (setting `spool`, GUARD_SPOOL)"
            ) from error
        return cls(path, descriptor, left_over=False)

    @classmethod
    def left_in(cls, folder: Path) -> list[Spool]:
        """The spools that dead processes left, the oldest first. They are this process's from now on."""
        if not any(folder.glob("*" + _SUFFIX)):
            return []
        with _folder_locked(folder):
            claimed = [cls._claim(path) for path in sorted(folder.glob("*" + _SUFFIX))]
        spools = [spool for spool in claimed if spool is not None]
        for spool in spools:
            if not spool.waiting:
                spool.close()
        return [spool for spool in spools if spool.waiting]

    @classmethod
    def _claim(cls, path: Path) -> Spool | None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            log.warning("the events in %s cannot be taken up: %s", path, error.strerror)
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(path, descriptor, left_over=True)

    @property
    def waiting(self) -> int:
        """Bytes that were not taken yet."""
        return self.size - self.read_to

    def append(self, events: list[Event], lines: Sequence[bytes]) -> Batch:
        """Add events, `lines` being their JSON. Raises OSError, and then none of them is in the file."""
        data = memoryview(b"".join(b"%08x %b\n" % (zlib.crc32(line), line) for line in lines))
        start, written = self.size, 0
        try:
            while written < len(data):
                written += self._file.write(data[written:]) or 0
        except OSError:
            with suppress(OSError):
                self._file.truncate(start)
            raise
        self.size = start + len(data)
        return Batch(events, 0, start, self.size)

    def read(self, limit: int) -> Batch:
        """The next events, of at most `limit` lines. The same ones again, until `taken`."""
        end, events, torn = self.read_to, [], 0
        self._file.seek(end)
        reader = BufferedReader(self._file)
        for line in islice(reader, limit):
            end += len(line)
            event = _event(line)
            if event is None:
                torn += 1
            else:
                events.append(event)
            if end - self.read_to > BATCH_BYTES:
                break
        reader.detach()
        # A file that somebody else made shorter is read to its end, not for ever.
        return Batch(events, torn, self.read_to, end if end > self.read_to else self.size)

    def taken(self, batch: Batch) -> None:
        """The store has this batch. A file of which it has everything begins anew."""
        self.read_to = batch.end
        if not self.waiting:
            self._file.truncate(0)
            self.size = self.read_to = 0

    def close(self) -> None:
        """Let go of the file: removed where nothing waits in it, else left to whoever starts next."""
        if not self.waiting:
            self.path.unlink(missing_ok=True)
        self._file.close()


def _event(line: bytes) -> Event | None:
    """The event of a line, or None where the line is torn."""
    crc, _, data = line.rstrip(b"\n").partition(b" ")
    try:
        return Event.from_json(data) if int(crc, 16) == zlib.crc32(data) else None
    except ValueError:
        return None


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """One process at a time makes or claims files, so that a new one is never seen before it is locked."""
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
