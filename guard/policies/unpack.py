"""From a bundle to policies ready to work. Central unpacks what it is about to sign, so proxies meet no surprise."""

from __future__ import annotations

from pathlib import Path

from guard.errors import PolicyError
from guard.metrics.registry import REGISTRY, Registry
from guard.policies.alone import refuse_code_and_secrets, refuse_files
from guard.policies.bundle import Bundle
from guard.policies.document import parse
from guard.policies.floor import stand_on
from guard.policies.load import load_document
from guard.policies.loaded import LoadedPolicy
from guard.policies.rollout import Rollout
from guard.policies.set import PolicySet

#: Where a policy of a bundle would look for files beside it: there are none.
NOWHERE = Path("/nonexistent/guard-bundle")


def load_text(text: str, name: str, *, metrics: Registry = REGISTRY) -> LoadedPolicy:
    """The policy in a text, called `name` in errors, that stands alone. Raises PolicyError with every problem."""
    document = parse(text.encode(errors="surrogatepass"), name)
    refuse_code_and_secrets(document)
    refuse_files(document)
    return load_document(document, NOWHERE / f"{name}.yaml", metrics=metrics)


def unpack(bundle: Bundle, *, metrics: Registry = REGISTRY) -> PolicySet:
    """The policies of a bundle on its floor, with their candidates and the apps' keys. Raises PolicyError."""
    floor = load_text(bundle.texts[bundle.floor], "floor", metrics=metrics) if bundle.floor else None

    def loaded(policy: str, version: int, digest: str) -> LoadedPolicy:
        found = load_text(bundle.texts[digest], f"{policy}@{version}", metrics=metrics)
        if found.name != policy:
            raise PolicyError(f"{policy}@{version}:1: calls itself '{found.name}'; write 'policy: {policy}'")
        return stand_on(floor, found, metrics=metrics) if floor else found

    policies: list[LoadedPolicy] = []
    rollouts: dict[str, Rollout] = {}
    for release in bundle.releases:
        policies.append(loaded(release.policy, release.version, release.text))
        if trial := release.candidate:
            candidate = loaded(release.policy, trial.version, trial.text)
            percent = trial.percent if trial.mode == "canary" else 0.0
            rollouts[release.policy] = Rollout(candidate, percent, trial.by)
    keys = {app: tuple((key.hash, key.expires_at) for key in held) for app, held in bundle.apps.items()}
    return PolicySet(tuple(policies), rollouts, keys)
