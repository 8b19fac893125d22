"""The fleet: the proxies that report to central."""

from __future__ import annotations

from guard.client.face import F, Method
from guard.client.records import Page, ProxyState
from guard.client.room import ROOT, USUAL, Room


class Fleet(Room[F]):
    """The project's proxies; without a project all that the key may see."""

    @Method
    async def list(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[ProxyState]:
        """Every proxy that reported in the last day; all of them with `limit=None`."""
        return await self._listed(f"{ROOT}/fleet", ProxyState.of, limit, cursor, project=self._place.project)
