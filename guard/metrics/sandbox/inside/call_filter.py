"""A filter of system calls (seccomp) for this process, all its threads, and for good. Standard library only."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from pathlib import Path

#: machine → (the kernel's number of the architecture, the column of its calls in the table).
_MACHINES = {"x86_64": (0xC000003E, 2), "aarch64": (0xC00000B7, 3)}
_LAST_KNOWN = 450
_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x10000
_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def read_table() -> str:
    """The calls that are filtered; to be read while files still can be."""
    return Path(__file__).with_name("system_calls.txt").read_text(encoding="utf-8")


def filter_calls(libc: ctypes.CDLL, table: str) -> None:
    """Let only those calls through that the table leaves. Raises OSError where the kernel has no filters."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"the system calls of {machine} are not known here")
    steps = b"".join(_program(table, *_MACHINES[machine]))
    program = _Program(len(steps) // 8, steps)
    if libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


def _program(table: str, architecture: int, column: int) -> list[bytes]:
    absent, denied = _ERROR | errno.ENOSYS, _ERROR | errno.EPERM
    steps = [
        *(_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, architecture, 1, 0), _step(_RETURN, _KILL)),
        *(_step(_LOAD, _NUMBER), _step(_ABOVE, _LAST_KNOWN, 0, 1), _step(_RETURN, absent)),
    ]
    for line in table.splitlines():
        fields = line.split()
        if not fields or line.startswith("#") or fields[column] == "-":
            continue
        number, what = int(fields[column]), fields[1]
        if what in ("deny", "absent"):
            steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, denied if what == "deny" else absent)]
        elif what == "self":
            steps += [
                *(_step(_EQUAL, number, 0, 5), _step(_LOAD, _FIRST_ARGUMENT)),
                *(_step(_EQUAL, 0, 2, 0), _step(_EQUAL, os.getpid(), 1, 0)),
                *(_step(_RETURN, denied), _step(_RETURN, _ALLOW)),
            ]
        else:
            steps += [
                *(_step(_EQUAL, number, 0, 4), _step(_LOAD, _FIRST_ARGUMENT)),
                *(_step(_ANY_BIT, _CLONE_THREAD, 1, 0), _step(_RETURN, denied), _step(_RETURN, _ALLOW)),
            ]
    return [*steps, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)
