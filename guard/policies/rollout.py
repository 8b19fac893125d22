"""Who gets a candidate while it is tried: the same app, user or session always the same version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from guard.policies.loaded import LoadedPolicy

#: How finely a percentage is heeded: hundredths of one.
_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Rollout:
    """A candidate for `percent` of the turns, told apart by `by` (`app`, `user`, `session`). 0: it only shadows."""

    candidate: LoadedPolicy
    percent: float
    by: str

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether a turn with these labels is the candidate's. One that cannot be told apart never is.

        Whoever is among ten per cent is among twenty too; another candidate draws others first.
        """
        value = labels.get(self.by, "")
        if not value or self.percent <= 0:
            return False
        drawn = hashlib.sha256(f"{self.candidate.label}\n{self.by}\n{value}".encode(errors="replace")).digest()
        return int.from_bytes(drawn[:8], "big") % _PARTS < self.percent * (_PARTS / 100)
