"""Making what policies measure with ready, so that the first turn does not wait for a model to load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guard.errors import PolicyError
from guard.metrics import Metric
from guard.policies.policy import LoadedPolicy


def make_ready(policies: Iterable[LoadedPolicy], in_use: Iterable[LoadedPolicy] = ()) -> None:
    """Warm up every metric that the policies' rules ask for, those `in_use` already aside.

    Blocks while models are loaded. Raises PolicyError where a metric cannot be made ready.
    """
    ready = {id(metric) for _, metric in _used(in_use)}
    for policy, metric in _used(policies):
        if metric.warm_up is None or id(metric) in ready:
            continue
        ready.add(id(metric))
        try:
            metric.warm_up()
        except Exception as error:  # noqa: BLE001 - a metric is foreign code: what it raises means that it cannot be used
            why = f"metric '{metric.name}' cannot be made ready: {type(error).__name__}: {error}"
            raise PolicyError(f"{policy.file}:1: {' '.join(why.split())}") from None


def _used(policies: Iterable[LoadedPolicy]) -> Iterator[tuple[LoadedPolicy, Metric]]:
    for policy in policies:
        for stage in policy.policy.stages.values():
            for probe in stage.probes:
                yield policy, policy.metrics[probe.metric]
