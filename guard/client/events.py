"""Events: the checks that central made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from guard.client.face import F, Method
from guard.client.records import Page
from guard.client.room import USUAL, Room


class Events(Room[F]):
    """The events of a project's checks, where central keeps them."""

    @Method
    async def list(
        self,
        *,
        stage: str | None = None,
        status: str | None = None,
        app: str | None = None,
        user: str | None = None,
        session: str | None = None,
        since: float | datetime | None = None,
        until: float | datetime | None = None,
        limit: int | None = USUAL,
        cursor: str | None = None,
    ) -> Page[Mapping[str, Any]]:
        """Events, the newest first, with what was measured; all of them with `limit=None`. Raises Conflict without any.

        `since` (inclusive) and `until` (exclusive) are datetimes or UTC epoch seconds.
        """
        wanted = {"stage": stage, "status": status, "app": app, "user": user, "session": session}
        times = {"since": _seconds(since), "until": _seconds(until)}
        return await self._listed(self._in_project("events"), lambda one: one, limit, cursor, **wanted, **times)


def _seconds(time: float | datetime | None) -> float | None:
    return time.timestamp() if isinstance(time, datetime) else time
