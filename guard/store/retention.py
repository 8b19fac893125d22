"""Old events go, by and by, off the hot path."""

from __future__ import annotations

import asyncio
import logging
import time

from guard.errors import StoreError
from guard.store.store import Store

log = logging.getLogger(__name__)

_DAY = 86_400
_EVERY = 3_600


async def retain(store: Store, days: float) -> None:
    """Remove events older than `days` now and every hour, until cancelled."""
    while True:
        try:
            removed = await store.prune(before=time.time() - days * _DAY)
        except StoreError as error:
            log.warning("old events were not removed: %s", error)
        else:
            if removed:
                log.info("%d events older than %g days were removed", removed, days)
        await asyncio.sleep(_EVERY)
