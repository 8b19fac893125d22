"""The walls around this process, raised before any foreign code runs in it. Standard library only."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Callable

from .call_filter import filter_calls, read_table
from .file_rules import read_only

_PARENT_DIES, _NOT_DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38
_NEW_USERS, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITIES_3 = 0x20080522
_FILES, _THREADS = 64, 64
#: What libraries read of the system.
_SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache"),
    *("/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
)


def raise_walls(*, memory: int, cpu: int, readable: list[str]) -> dict[str, str]:
    """Shut this process in; wall → why it does not stand, empty where it does.

    `memory` is in bytes, `cpu` in seconds of the process's whole life. `limits`: memory, CPU, open files, no file
    written, no privileges; `network`: a network of its own with nobody in it; `files`: only Python and what is
    `readable` can be read; `calls`: no other process, socket or program.
    """
    if not sys.platform.startswith("linux"):
        return dict.fromkeys(("limits", "network", "files", "calls"), "there are walls only on Linux")
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    libc.prctl(_PARENT_DIES, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    # Only after this may a process without privileges shut itself in.
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    table, paths = read_table(), sysconfig.get_paths()
    allowed = [paths["stdlib"], paths["platstdlib"], os.path.join(sys.base_prefix, "lib"), *readable, *_SYSTEM]  # noqa: PTH118
    steps: dict[str, Callable[[], None]] = {
        "network": lambda: _alone(libc),
        "limits": lambda: _limit(libc, memory, cpu),
        "files": lambda: read_only(libc, allowed),
        "calls": lambda: filter_calls(libc, table),
    }
    return {wall: _raised(step) for wall, step in steps.items()}


def _raised(step: Callable[[], None]) -> str:
    try:
        step()
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _alone(libc: ctypes.CDLL) -> None:
    if libc.unshare(_NEW_USERS | _NEW_NETWORK | _NEW_IPC):
        raise OSError(ctypes.get_errno(), "namespaces may not be made here: " + os.strerror(ctypes.get_errno()))
    # Threads are counted by namespace from here on, so this limits nobody else of the same user.
    resource.setrlimit(resource.RLIMIT_NPROC, (_THREADS, _THREADS))


def _limit(libc: ctypes.CDLL, memory: int, cpu: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))
    libc.prctl(_NOT_DUMPABLE, 0, 0, 0, 0)
    # The superuser could raise its limits again.
    header, none = struct.pack("Ii", _CAPABILITIES_3, 0), bytes(24)
    if libc.syscall(_CAPSET[os.uname().machine], header, none):
        raise OSError(ctypes.get_errno(), "privileges cannot be dropped")
