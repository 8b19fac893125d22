"""Which events are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from guard.store.event import Event


@dataclass(frozen=True, slots=True)
class Filter:
    """Events for which all that is given holds. `since` (inclusive) and `until` (exclusive) are UTC epoch seconds."""

    project: str | None = None
    app: str | None = None
    policy: str | None = None
    revision: str | None = None
    stage: str | None = None
    kind: str | None = None
    status: str | None = None
    ruleset: str | None = None
    action: str | None = None
    user: str | None = None
    session: str | None = None
    since: float | None = None
    until: float | None = None

    def equal(self) -> dict[str, str]:
        """The columns that must hold exactly this."""
        wanted = {name: getattr(self, name) for name in COLUMNS}
        return {name: value for name, value in wanted.items() if value is not None}


#: What can be filtered by: attributes of an event, and two of its labels.
COLUMNS = (
    "project", "app", "policy", "revision", "stage", "kind", "status", "ruleset", "action", "user", "session",
)  # fmt: skip
LABEL_COLUMNS = frozenset({"user", "session"})


def column(event: Event, name: str) -> str | None:
    """The value that an event is filtered by under this name."""
    return event.labels.get(name) if name in LABEL_COLUMNS else getattr(event, name)
