"""What is in force where."""

from __future__ import annotations

from typing import Any

from guard.client.face import F, Method
from guard.client.records import Disagreement, Page, Release
from guard.client.room import USUAL, Room


class Environments(Room[F]):
    """A project's environments, `staging` and `production`. Every change is a new release, tried before it is kept."""

    @Method
    async def get(self, environment: str) -> Release:
        """What is in force. Raises NotFound where nothing ever was."""
        return Release.of(await self._http.ask("GET", self._in_project("environments", environment)))

    @Method
    async def releases(
        self, environment: str, *, limit: int | None = USUAL, cursor: str | None = None
    ) -> Page[Release]:
        """What was in force, the newest first; all of it with `limit=None`."""
        path = self._in_project("environments", environment, "releases")
        return await self._listed(path, Release.of, limit, cursor)

    @Method
    async def put(self, environment: str, policy: str, version: int, *, why: str = "") -> Release:
        """Put a published version in force; a trial beside the old one ends."""
        body = {"version": version, "why": why}
        return await self._changed("PUT", environment, "policies", policy, body=body)

    @Method
    async def remove(self, environment: str, policy: str, *, why: str = "") -> Release:
        """Take a policy out of force. Turns that no other policy applies to are refused from then on."""
        return await self._changed("DELETE", environment, "policies", policy, params={"why": why})

    @Method
    async def canary(
        self, environment: str, policy: str, version: int, *, percent: float, by: str = "user", why: str = ""
    ) -> Release:
        """Let a version decide `percent` of the turns, told apart by a hash of their `app`, `user` or `session`."""
        body = {"version": version, "mode": "canary", "percent": percent, "by": by, "why": why}
        return await self._changed("PUT", environment, "policies", policy, "candidate", body=body)

    @Method
    async def shadow(self, environment: str, policy: str, version: int, *, why: str = "") -> Release:
        """Let a version decide every turn too, apart from the answer."""
        body = {"version": version, "mode": "shadow", "why": why}
        return await self._changed("PUT", environment, "policies", policy, "candidate", body=body)

    @Method
    async def end_trial(self, environment: str, policy: str, *, why: str = "") -> Release:
        """End a canary or shadow: the version in force decides everything again."""
        return await self._changed("DELETE", environment, "policies", policy, "candidate", params={"why": why})

    @Method
    async def rollback(self, environment: str, *, to: int | None = None, why: str = "") -> Release:
        """Put in force again what was before, or what the release of that number had."""
        return await self._changed("POST", environment, "rollback", body={"to": to, "why": why})

    @Method
    async def disagreement(self, environment: str) -> list[Disagreement]:
        """How candidates and the versions in force decided the same turns."""
        found = await self._http.ask("GET", self._in_project("environments", environment, "disagreement"))
        return [Disagreement.of(one) for one in found]

    async def _changed(
        self,
        method: str,
        environment: str,
        *steps: str,
        body: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
    ) -> Release:
        path = self._in_project("environments", environment, *steps)
        return Release.of(await self._http.ask(method, path, body, params=params))
