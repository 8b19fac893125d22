"""Events of the checks that central made."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query

from guard.central.api.common import PAGE, Centre, Limit, Named, Page, Readable
from guard.errors import Conflict
from guard.store.filter import Filter

router = APIRouter(tags=["events"])

_Time = Annotated[float | None, Query(ge=0, le=1e11, description="UTC epoch seconds.")]


@router.get("/projects/{project}/events")
async def list_events(
    found: Readable,
    central: Centre,
    stage: Named | None = None,
    status: Named | None = None,
    app: Named | None = None,
    user: Named | None = None,
    session: Named | None = None,
    since: _Time = None,
    until: _Time = None,
    limit: Limit = PAGE,
    cursor: Annotated[str | None, Query(max_length=36, pattern=r"^[0-9a-f-]+$")] = None,
) -> Page[dict[str, Any]]:
    """The project's events, the newest first, with what was measured and the text as the settings keep it."""
    if central.events is None:
        raise Conflict("central keeps no events; set 'events' to a store")
    labels = {"stage": stage, "status": status, "app": app, "user": user, "session": session}
    wanted = Filter(project=found.id, since=since, until=until, **labels)
    events = await central.events.newest(wanted, limit=limit + 1, before=cursor)
    items = [orjson.loads(event.to_json()) for event in events[:limit]]
    return Page(items=items, next=events[limit - 1].id if len(events) > limit else None)
