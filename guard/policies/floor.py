"""An organisation's floor under policies that others write: its rulesets come first and cannot be taken away."""

from __future__ import annotations

from guard.errors import PolicyError
from guard.metrics.registry import REGISTRY, Registry
from guard.policies.extend import extend, violations
from guard.policies.loaded import LoadedPolicy


def stand_on(floor: LoadedPolicy, policy: LoadedPolicy, *, metrics: Registry = REGISTRY) -> LoadedPolicy:
    """The policy, built on the floor as if it extended it. Raises PolicyError where it would hollow the floor out."""
    # What it takes away, it took from what it extends; of the floor it never heard.
    written = policy.policy.model_copy(update={"without": ()})
    file = policy.file or policy.name
    problems = [f"{file}:1: {'.'.join(map(str, path))}: {text}" for path, text in violations(floor.policy, written)]
    if problems:
        raise PolicyError(*problems)
    own = {**floor.own, **policy.own}
    return LoadedPolicy(extend(floor.policy, written), own, metrics.child(own), policy.file)
