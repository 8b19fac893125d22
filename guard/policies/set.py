"""The policies in force together, and which of them applies to a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from guard.errors import NoPolicy, nearest
from guard.policies.loaded import LoadedPolicy
from guard.policies.rollout import Rollout


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Policies with names of their own.

    `rollouts` are the candidates tried beside some of them, by the policy's name; `keys` are the apps' keys that came
    with the policies: for each app (hash, UTC epoch seconds at which it ends or None).
    """

    policies: tuple[LoadedPolicy, ...]
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    keys: Mapping[str, tuple[tuple[str, float | None], ...]] = field(default_factory=dict)

    @property
    def all(self) -> tuple[LoadedPolicy, ...]:
        """The policies and their candidates."""
        return (*self.policies, *(rollout.candidate for rollout in self.rollouts.values()))

    def select(
        self, app: str = "", model: str = "", route: str = "", *, name: str = "", user: str = "", session: str = ""
    ) -> LoadedPolicy:
        """The policy whose `applies_to` names the turn most closely, or that is called `name` where that is given.

        In its place the candidate that has this turn. Raises NoPolicy where there is none.
        """
        policy = self._named(name) if name else self._nearest(app, model, route)
        rollout = self.rollouts.get(policy.name)
        if rollout is not None and rollout.takes({"app": app, "user": user, "session": session}):
            return rollout.candidate
        return policy

    def rival(self, policy: LoadedPolicy) -> LoadedPolicy | None:
        """What a policy is compared with: its candidate, or for a candidate the version in force."""
        rollout = self.rollouts.get(policy.name)
        if rollout is None or policy is not rollout.candidate:
            return rollout.candidate if rollout else None
        return next((one for one in self.policies if one.name == policy.name), None)

    def _nearest(self, app: str, model: str, route: str) -> LoadedPolicy:
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

    def _named(self, name: str) -> LoadedPolicy:
        for policy in self.policies:
            if policy.name == name:
                return policy
        known = nearest(name, [policy.name for policy in self.policies])
        raise NoPolicy(f"there is no policy '{name}', so the request is refused; {known}")
