"""The policies in force together, and which of them applies to a turn."""

from __future__ import annotations

from dataclasses import dataclass

from guard.errors import NoPolicy
from guard.policies.loaded import LoadedPolicy


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Policies with names of their own."""

    policies: tuple[LoadedPolicy, ...]

    def select(self, app: str = "", model: str = "", route: str = "") -> LoadedPolicy:
        """The policy whose `applies_to` names the turn most closely. Raises NoPolicy where none applies."""
        found = [
            (near, policy)
            for policy in self.policies
            if (near := policy.policy.applies_to.nearness(app, model, route)) is not None
        ]
        if not found:
            raise NoPolicy(
                f"no policy applies to app '{app}', model '{model}', route '{route}', so it is refused; "
                "add one whose applies_to names them, or '*'"
            )
        # Equally near ones are told apart by name, so that every worker chooses the same.
        return min(found, key=lambda pair: (tuple(-part for part in pair[0]), pair[1].name))[1]
