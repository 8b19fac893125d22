"""API keys."""

from __future__ import annotations

from guard.client.face import F, Method
from guard.client.http import path_of
from guard.client.records import Key, MadeKey, Page
from guard.client.room import ROOT, USUAL, Room
from guard.errors import Unreachable


class Keys(Room[F]):
    """The project's keys; without a project the organisation's own."""

    @Method
    async def create(
        self, name: str, role: str, *, app: str | None = None, expires_at: float | None = None, why: str = ""
    ) -> MadeKey:
        """Make a key: `admin`, `editor`, `viewer`, `app` (with its `app`) or `proxy`. It is shown this once."""
        body = {"name": name, "role": role, "app": app, "expires_at": expires_at, "why": why}
        return _shown(MadeKey.of(await self._http.ask("POST", self._keys(), body)))

    @Method
    async def list(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[Key]:
        """The keys by id, without what makes them keys; all of them with `limit=None`."""
        return await self._listed(self._keys(), Key.of, limit, cursor)

    @Method
    async def rotate(self, identifier: str, *, grace: float = 0.0, why: str = "") -> MadeKey:
        """Make a new key in the place of one, which goes on for `grace` seconds. Raises Conflict where it is gone."""
        path = self._keys(identifier, "rotate")
        return _shown(MadeKey.of(await self._http.ask("POST", path, {"grace": grace, "why": why})))

    @Method
    async def revoke(self, identifier: str, *, why: str = "") -> Key:
        """Take a key back, at once. Raises Conflict where it was."""
        return Key.of(await self._http.ask("POST", self._keys(identifier, "revoke"), {"why": why}))

    def _keys(self, *steps: str) -> str:
        return self._in_project("keys", *steps) if self._place.project else ROOT + path_of("keys", *steps)


def _shown(made: MadeKey) -> MadeKey:
    """The key, which a second answer does not show again. Raises Unreachable where the first one was lost."""
    if not made.key:
        lost = "was made, and the answer that showed it was lost on its way"
        raise Unreachable(f"key {made.id} {lost}: revoke it, and make another")
    return made
