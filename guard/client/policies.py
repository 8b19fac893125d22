"""Policies: drafts, published versions, and what one changes against another."""

from __future__ import annotations

from guard.client.face import F, Method
from guard.client.records import Differences, Draft, Page, Policy, PolicyText, PolicyVersion
from guard.client.room import USUAL, Room


class Policies(Room[F]):
    """A project's policies. Nothing is in force by being published: see `client.environments`."""

    @Method
    async def draft(self, name: str, text: str, *, why: str = "") -> Draft:
        """Keep a text, as a policy file has it, as the policy's draft. It may be wrong still: `problems` says how."""
        return Draft.of(await self._http.ask("PUT", self._in_project("policies", name), {"text": text, "why": why}))

    @Method
    async def get(self, name: str) -> Draft:
        """A policy with its draft. Raises NotFound."""
        return Draft.of(await self._http.ask("GET", self._in_project("policies", name)))

    @Method
    async def list(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[Policy]:
        """The project's policies, by name; all of them with `limit=None`."""
        return await self._listed(self._in_project("policies"), Policy.of, limit, cursor)

    @Method
    async def publish(self, name: str, *, why: str = "") -> PolicyVersion:
        """Publish the draft as the next version. Raises PolicyError with all that is wrong with it."""
        path = self._in_project("policies", name, "versions")
        return PolicyVersion.of(await self._http.ask("POST", path, {"why": why}))

    @Method
    async def versions(self, name: str, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[PolicyVersion]:
        """The published versions, the newest first; all of them with `limit=None`."""
        path = self._in_project("policies", name, "versions")
        return await self._listed(path, PolicyVersion.of, limit, cursor)

    @Method
    async def version(self, name: str, number: int) -> PolicyText:
        """A published version with its text. Raises NotFound."""
        return PolicyText.of(await self._http.ask("GET", self._in_project("policies", name, "versions", number)))

    @Method
    async def diff(self, name: str, *, old: int | None = None, new: int | None = None) -> Differences:
        """What `new` (default: the draft) changes against `old` (default: the newest published version)."""
        path = self._in_project("policies", name, "diff")
        return Differences.of(await self._http.ask("GET", path, params={"old": old, "new": new}))
