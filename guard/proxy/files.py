"""How many files, which connections are too, a process may have open."""

from __future__ import annotations

import sys

#: What a worker has open beside connections: the store, the spool, models, logs.
OTHERS = 200


def files() -> int | None:
    """How many this process may have open; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def allow_files(wanted: int) -> int:
    """Raise the limit of this process, and so of its children, as far as it may be raised; what it is then."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
