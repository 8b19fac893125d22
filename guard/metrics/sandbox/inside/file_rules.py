"""Which files this process may read from now on (Landlock); it may write none. Standard library only."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
#: Everything that a version of Landlock can forbid: version → the highest bit it knows.
_RIGHTS = {1: 12, 2: 13, 3: 14, 4: 14}
_NEWEST_RIGHTS = 15
_SIGNALS_AND_SOCKETS = 0b11


def read_only(libc: ctypes.CDLL, readable: Iterable[str]) -> None:
    """Let only what is below these paths be read. Raises OSError where the kernel has no Landlock."""
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        raise OSError(ctypes.get_errno() or errno.ENOSYS, "the kernel has no Landlock, or it is switched off")
    files = (1 << _RIGHTS.get(version, _NEWEST_RIGHTS) + 1) - 1
    network = 0b11 if version >= 4 else 0
    scoped = _SIGNALS_AND_SOCKETS if version >= 6 else 0
    rules = struct.pack("QQQ", files, network, scoped)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = _done(libc.syscall(_CREATE, rules, ctypes.c_size_t(len(rules)), 0))
    for path in readable:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # what is not there cannot be read either
        rights = _READ_FILE | _READ_FOLDER if os.path.isdir(path) else _READ_FILE  # noqa: PTH112
        _done(libc.syscall(_ADD, ruleset, 1, struct.pack("=Qi", rights, opened), 0))
        os.close(opened)
    _done(libc.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock: " + os.strerror(ctypes.get_errno()))
    return result
