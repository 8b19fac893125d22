"""What Guard does, counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from guard.guard import Exchange
from guard.metrics.score import Failure
from guard.stages import Status
from guard.stages.decision import UNRESOLVED
from guard.telemetry import families as given
from guard.telemetry.answers import Usage
from guard.telemetry.current import SERVED
from guard.telemetry.tally import Names, Tally
from guard.verdict import Verdict

if TYPE_CHECKING:
    from prometheus_client import Metric

#: Apps come from the settings, or from the decorator's own code; models from whoever asks.
MAX_APPS, MAX_MODELS = 200, 50
_TELLING = frozenset({Status.TRIGGERED, *UNRESOLVED})


class Meters:
    """Counts, for Prometheus, what a Guard decides and a proxy serves.

    An observer of `Guard`, and a collector of the Prometheus client: `REGISTRY.register(meters)` puts its figures among
    an app's own.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self._apps, self._models = Names(MAX_APPS), Names(MAX_MODELS)

    def began(self, exchange: Exchange) -> None:
        """Nothing is counted yet."""

    def concluded(self, exchange: Exchange, verdict: Verdict) -> None:
        """Count a decision, what it took, and what its metrics took."""
        decision, policy = verdict.decision, verdict.policy.name
        kind, app = decision.stage.kind, self._apps.of(exchange.labels.get("app", ""))
        self.tally.add(given.DECISIONS, policy, kind, decision.status, decision.action.type, app)
        self.tally.observe(given.STAGE_SECONDS, verdict.millis / 1000, kind)
        for outcome in decision.outcomes:
            if outcome.status in _TELLING:
                ruleset = outcome.ruleset
                self.tally.add(given.RULESETS, policy, kind, ruleset.name, ruleset.mode, outcome.status)
        for probe, measurement in decision.measurements.items():
            if measurement.began < exchange.started:
                continue  # measured for an earlier request, and known since
            self.tally.observe(given.METRIC_SECONDS, measurement.millis / 1000, probe.metric)
            if isinstance(measurement, Failure):
                why = "unstarted" if measurement.unstarted else "late" if measurement.timed_out else "failed"
                self.tally.add(given.METRIC_FAILURES, probe.metric, why)

    def released(self, exchange: Exchange) -> None:
        """Note how long the first of a streamed text took, where a request is being served."""
        served = SERVED.get()
        if served is not None:
            self.tally.observe(given.FIRST_TOKEN_SECONDS, served.age(), served.route)

    def arrived(self, change: int) -> None:
        """One request more is being served, or one less."""
        self.tally.add(given.IN_FLIGHT, amount=change)

    def served(self, route: str, status: int, app: str, seconds: float) -> None:
        """Count a request that was answered."""
        self.tally.add(given.REQUESTS, route, str(status), self._apps.of(app))
        self.tally.observe(given.REQUEST_SECONDS, seconds, route)

    def called(self, provider: str, model: str, seconds: float, first: float | None, usage: Usage, error: str) -> None:
        """Count a call of a provider: what it took to its end and to its first text, and what it used.

        A model gets a name of its own once the provider has answered for it.
        """
        model = self._models.of(model, learn=not error)
        self.tally.observe(given.UPSTREAM_SECONDS, seconds, provider, model)
        if first is not None:
            self.tally.observe(given.UPSTREAM_FIRST_TOKEN_SECONDS, first, provider, model)
        for kind, tokens in zip(usage._fields, usage, strict=True):
            if tokens:
                self.tally.add(given.TOKENS, model, kind, amount=tokens)
        if error:
            self.tally.add(given.UPSTREAM_ERRORS, provider, error)

    def collect(self) -> Iterable[Metric]:
        """The figures as the Prometheus client collects them."""
        from guard.telemetry.exposition import collected

        return collected(self.tally.series())

    def describe(self) -> Iterable[Any]:
        """Nothing: so registering asks for no figures."""
        return ()
