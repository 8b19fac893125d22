"""A verdict as whoever asked for a check is shown it."""

from __future__ import annotations

from typing import Any

from guard.metrics import Failure, Score
from guard.verdict import Verdict


def as_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the caller is shown it. `texts` are those to go on with, one for one with those that were sent."""
    decision = verdict.decision
    return {
        "status": decision.status,
        "allowed": verdict.allowed,
        "action": decision.action.type,
        "ruleset": decision.ruleset.name if decision.ruleset else None,
        "reply": verdict.reply,
        "texts": list(verdict.turn.passages(decision.stage.kind)) if verdict.allowed else [],
        "why": verdict.why,
        "policy": verdict.policy.label,
        "event": verdict.event,
        "millis": round(verdict.millis, 3),
        "rulesets": [
            {
                "name": outcome.ruleset.name,
                "mode": outcome.ruleset.mode,
                "status": outcome.status,
                "rules": [{"rule": str(rule.rule), "status": rule.status} for rule in outcome.rules],
            }
            for outcome in decision.outcomes
        ],
        "measurements": [
            {
                "metric": probe.metric,
                "of": probe.of,
                **({"only": str(probe.only)} if probe.only else {}),
                **_measured(measurement),
            }
            for probe, measurement in decision.measurements.items()
        ],
    }


def _measured(measurement: Score | Failure) -> dict[str, Any]:
    if isinstance(measurement, Failure):
        return {"error": measurement.error, "timed_out": measurement.timed_out, "millis": measurement.millis}
    return {
        "value": measurement.value,
        "labels": measurement.labels,
        "spans": measurement.spans,
        "reason": measurement.reason,
        "millis": measurement.millis,
    }
