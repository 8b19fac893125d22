"""The request that is being served here, as telemetry sees it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any


@dataclass(slots=True)
class Served:
    """One request. `app` and `session` are known once it has its policy, `status` once it is answered.

    `span` is there where it is traced, and `turn` where its text is to be seen there."""

    route: str
    started: float = field(default_factory=perf_counter)
    app: str = ""
    session: str = ""
    status: int = 500
    released: bool = False
    span: Any = None
    turn: Any = None

    def age(self) -> float:
        """Seconds since it arrived."""
        return perf_counter() - self.started


#: Set by whoever serves the request; what runs on its behalf, in tasks and threads, inherits it.
SERVED: ContextVar[Served | None] = ContextVar("guard.telemetry.served", default=None)
