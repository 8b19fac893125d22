"""Checks by a proxy (`guard serve`): by the policy that applies to the key's app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from guard.at_once import in_order
from guard.client.face import F, Method
from guard.client.records import Checked
from guard.client.room import Room

_ROUTE = "/v1/guard/check"


class Proxy(Room[F]):
    """What `POST /v1/guard/check` of a proxy answers; the client's URL and key are the proxy's."""

    @Method
    async def check(
        self,
        text: str | None = None,
        stage: str = "input",
        *,
        messages: Sequence[Mapping[str, Any]] = (),
        output: str | Sequence[str] = (),
        documents: Sequence[str] = (),
        tool_calls: Sequence[Mapping[str, str]] = (),
        labels: Mapping[str, str] | None = None,
        model: str = "",
    ) -> Checked:
        """Have a text, or the sides of a whole turn, checked by the stage of that kind. Raises NoPolicy, BadRequest."""
        turn = {"messages": messages, "output": output, "documents": documents, "tool_calls": tool_calls}
        written = {name: value for name, value in turn.items() if value}
        return await self._checked({"text": text, "stage": stage, "labels": labels or {}, "model": model, **written})

    @Method
    async def check_batch(
        self, turns: Iterable[str | Mapping[str, Any]], stage: str = "input", *, at_once: int = 8
    ) -> list[Checked]:
        """Have many turns checked, `at_once` at a time; the answers come in the turns' order.

        A turn is a text, or has what `check` takes. The first one that cannot be checked ends it with its error.
        """

        async def one(turn: str | Mapping[str, Any]) -> Checked:
            return await self._checked({"stage": stage, **({"text": turn} if isinstance(turn, str) else turn)})

        return [checked async for checked in in_order(one, turns, at_once)]

    async def _checked(self, body: Mapping[str, Any]) -> Checked:
        return Checked.of(await self._http.ask("POST", _ROUTE, body, changes=False))
