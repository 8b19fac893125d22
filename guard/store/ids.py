"""Identifiers that sort by time: a UUID version 7 as text, so an event's time can be read from its id."""

from __future__ import annotations

import os
import time

_NANOS_PER_MILLI = 1_000_000
#: The twelve bits behind the milliseconds count 4096ths of one (RFC 9562, section 6.2, method 3).
_FRACTIONS = 4096


def new_id(at: float | None = None) -> str:
    """A new identifier of the moment `at` (UTC epoch seconds; default: now), ordered to a quarter of a microsecond."""
    nanos = time.time_ns() if at is None else round(at * 1e9)
    return _text(nanos, int.from_bytes(os.urandom(8), "big"))


def first_id(at: float) -> str:
    """The lowest identifier of that moment: every event from then on has a higher one."""
    return _text(max(0, round(at * 1e9)), 0)


def time_of(identifier: str) -> float:
    """The moment of an identifier in UTC epoch seconds. Raises ValueError where it is no UUID version 7."""
    if len(identifier) != 36 or identifier[14] != "7":
        raise ValueError(f"'{identifier[:50]}' is no event id; make one with guard.store.new_id()")
    millis = int(identifier[:8] + identifier[9:13], 16)
    return (millis + int(identifier[15:18], 16) / _FRACTIONS) / 1000


def _text(nanos: int, random: int) -> str:
    millis, rest = divmod(nanos, _NANOS_PER_MILLI)
    fraction = rest * _FRACTIONS // _NANOS_PER_MILLI
    low = random & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    high = f"{millis << 16 | 0x7000 | fraction:016x}"
    tail = f"{low:016x}"
    return f"{high[:8]}-{high[8:12]}-{high[12:]}-{tail[:4]}-{tail[4:]}"
