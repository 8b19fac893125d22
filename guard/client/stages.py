"""Stages at the centre: made, given new versions, paused, and asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from guard.at_once import in_order
from guard.client.face import F, Method
from guard.client.records import Checked, Page, Stage, StageVersion
from guard.client.room import USUAL, Room


class Stages(Room[F]):
    """A project's stages.

    The fields of a version's `document` are those of a policy's stage: `kind`, `rulesets`, `timeout`, `on_failure`,
    `refusal`, `stream`; and `extra` for what your own tools keep with it.
    """

    @Method
    async def create(
        self,
        name: str,
        *,
        type: str = "central",  # noqa: A002 - the field's name
        description: str = "",
        paused: bool = False,
        why: str = "",
        **document: Any,
    ) -> Stage:
        """Make a stage at version 1; the rulesets of a `local` one come with every check. Raises Conflict, Invalid."""
        body = {"name": name, "type": type, "description": description, "paused": paused, "why": why}
        return Stage.of(await self._http.ask("POST", self._in_project("stages"), {**body, "document": document}))

    @Method
    async def get(self, name: str) -> Stage:
        """A stage by its name or id. Raises NotFound."""
        return Stage.of(await self._http.ask("GET", self._in_project("stages", name)))

    @Method
    async def list(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[Stage]:
        """The project's stages, by name; all of them with `limit=None`."""
        return await self._listed(self._in_project("stages"), Stage.of, limit, cursor)

    @Method
    async def update(self, name: str, *, why: str = "", **document: Any) -> StageVersion:
        """Give a stage its next version, which the document is in whole."""
        path = self._in_project("stages", name, "versions")
        return StageVersion.of(await self._http.ask("POST", path, {"document": document, "why": why}))

    @Method
    async def versions(self, name: str, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[StageVersion]:
        """A stage's versions, the newest first; all of them with `limit=None`."""
        path = self._in_project("stages", name, "versions")
        return await self._listed(path, StageVersion.of, limit, cursor)

    @Method
    async def version(self, name: str, number: int) -> StageVersion:
        """One version of a stage. Raises NotFound."""
        return StageVersion.of(await self._http.ask("GET", self._in_project("stages", name, "versions", number)))

    @Method
    async def pause(self, name: str, *, why: str = "") -> Stage:
        """Pause a stage: its checks answer `paused`. What the organisation's floor holds there stays in force."""
        return Stage.of(await self._http.ask("POST", self._in_project("stages", name, "pause"), {"why": why}))

    @Method
    async def resume(self, name: str, *, why: str = "") -> Stage:
        """Resume a paused stage."""
        return Stage.of(await self._http.ask("POST", self._in_project("stages", name, "resume"), {"why": why}))

    @Method
    async def check(
        self,
        name: str,
        input: str = "",  # noqa: A002 - the side's name
        output: str = "",
        *,
        documents: Sequence[str] = (),
        rulesets: Sequence[Any] | None = None,
        version: int | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Checked:
        """Have a turn checked by a stage.

        `rulesets` are those of a local stage, `version` an older one of a central stage; `labels` say whose turn it is
        (`app`, `user`, `session`).
        """
        turn = {"input": input, "output": output, "documents": list(documents)}
        return await self._checked(name, turn, rulesets, version, labels)

    @Method
    async def check_batch(
        self,
        name: str,
        turns: Iterable[str | Mapping[str, Any]],
        *,
        rulesets: Sequence[Any] | None = None,
        version: int | None = None,
        labels: Mapping[str, str] | None = None,
        at_once: int = 8,
    ) -> list[Checked]:
        """Have many turns checked, `at_once` at a time; the answers come in the turns' order.

        A turn is a text for the input, or has `input`, `output`, `documents`, and `labels` of its own. The first one
        that cannot be checked, tried again as often as may be, ends it with its error.
        """

        async def one(turn: str | Mapping[str, Any]) -> Checked:
            written: dict[str, Any] = {"input": turn} if isinstance(turn, str) else {**turn}
            own = {**(labels or {}), **(written.pop("labels", None) or {})}
            return await self._checked(name, written, rulesets, version, own)

        return [checked async for checked in in_order(one, turns, at_once)]

    async def _checked(
        self,
        name: str,
        turn: Mapping[str, Any],
        rulesets: Sequence[Any] | None,
        version: int | None,
        labels: Mapping[str, str] | None,
    ) -> Checked:
        body = {**turn, "rulesets": rulesets, "version": version, "labels": labels or {}}
        path = self._in_project("stages", name, "check")
        # A check changes nothing, so it is tried again without a key to know it by.
        return Checked.of(await self._http.ask("POST", path, body, changes=False))
