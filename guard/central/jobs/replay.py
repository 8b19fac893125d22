"""A job that decides rows by a policy, or by two versions of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from guard.evaluate import Row, turn_of
from guard.guard import Exchange, Guard
from guard.metrics import ANSWERED, ASKED, Turn
from guard.policies import LoadedPolicy, PolicySet
from guard.policies.trial import patient

#: Ways to come out that are counted apart.
WAYS = 100


class ReplayWork:
    """Decides by `policy`, and by `against` where that is given. What both measure alike is measured once."""

    def __init__(self, policy: LoadedPolicy, against: LoadedPolicy | None) -> None:
        self._policy = patient(policy)
        self._against = patient(against) if against else None
        # Recorded nowhere: these turns were not asked by anybody now.
        self._guard = Guard(PolicySet(()))
        self._came: Counter[str] = Counter()
        self._flipped: Counter[str] = Counter()

    async def ready(self) -> None:
        """Load what the policies measure with. Raises PolicyError."""
        for policy in filter(None, (self._policy, self._against)):
            await policy.ready()

    async def results(self, rows: Sequence[Row]) -> AsyncIterator[dict[str, Any]]:
        """What is done about each row. Raises SettingsError for a row that holds no turn."""
        for row in rows:
            turn = turn_of(row)
            result = await self._decided(self._policy, turn)
            if self._against:
                other = await self._decided(self._against, turn)
                result |= {"against": other, "differs": result["came_to"] != other["came_to"]}
            yield result

    def add(self, row: Row, result: dict[str, Any]) -> None:
        """Count a row and what came of it."""
        _count(self._came, result["came_to"])
        if result.get("differs"):
            _count(self._flipped, f"{result['against']['came_to']} → {result['came_to']}")

    def report(self) -> dict[str, Any]:
        """How many rows came to what, and how many otherwise than by the version `against`."""
        report: dict[str, Any] = {"policy": self._policy.label, "came_to": dict(self._came.most_common())}
        if self._against:
            differs = {"differs": self._flipped.total(), "flipped": dict(self._flipped.most_common())}
            report |= {"against": self._against.label, **differs}
        return report

    async def _decided(self, policy: LoadedPolicy, turn: Turn) -> dict[str, Any]:
        """Stage by stage as a request meets them, up to the one that ends it."""
        exchange = Exchange(self._guard, policy, {})
        turn = turn.reading(policy.reads)
        stages: list[dict[str, Any]] = []
        allowed = True
        for kind in (*ASKED, *ANSWERED):
            if allowed and policy.has(kind) and turn.passages(kind):
                verdict = await exchange.check(turn, kind)
                turn, allowed, decision = verdict.turn, verdict.allowed, verdict.decision
                ruleset = decision.ruleset.name if decision.ruleset else None
                what = {"kind": kind, "status": str(decision.status), "action": decision.action.type}
                stages.append({"stage": decision.stage.name, **what, "ruleset": ruleset, "why": verdict.why[:500]})
        acted = [
            f"{one['kind']}: {one['action']} by {one['ruleset']}" for one in stages if one["action"] != "passthrough"
        ]
        return {"allowed": allowed, "came_to": "; ".join(acted) or "passthrough", "stages": stages}


def _count(ways: Counter[str], way: str) -> None:
    ways[way[:400] if way[:400] in ways or len(ways) < WAYS else "other"] += 1
