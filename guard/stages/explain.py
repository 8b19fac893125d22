"""What a decision did and why, in one sentence that a person can read."""

from __future__ import annotations

from guard.metrics.score import Failure, Measurement
from guard.stages.action import Override, Redact, Status
from guard.stages.decision import UNRESOLVED, Decision, RuleOutcome


def explain(decision: Decision) -> str:
    """One sentence: the outcome, the ruleset that decided, and the scores that made it."""
    stage = decision.stage.name
    if decision.status == Status.PAUSED:
        return f"Stage {stage} is paused, so nothing was checked."
    if decision.status == Status.SKIPPED:
        return f"Stage {stage} has no rulesets, so nothing was checked."
    deciding = next(
        (o for o in decision.outcomes if decision.ruleset is not None and o.ruleset is decision.ruleset), None
    )
    if deciding is None:
        return f"Stage {stage} passed: {_passed(decision)}."
    if decision.status == Status.TRIGGERED:
        acting = decision.redactions or (deciding,)
        because = "; ".join(f"'{o.ruleset.name}': {' and '.join(map(_rule, o.rules))}" for o in acting)
        return f"Stage {stage} {_did(decision)} by ruleset{'s' if len(acting) > 1 else ''} {because}."
    because = " and ".join(
        _rule(rule) for rule in deciding.rules if rule.status in UNRESOLVED or rule.measurement is None
    )
    return f"Stage {stage} blocked because ruleset '{deciding.ruleset.name}' could not be checked: {because}."


def _did(decision: Decision) -> str:
    if isinstance(decision.action, Override):
        return "answered with an override"
    if isinstance(decision.action, Redact):
        return "redacted the text"
    return "triggered and passed the text through"


def _passed(decision: Decision) -> str:
    observed = [ruleset.name for ruleset in decision.triggered]
    text = f"triggered, but only observed: {', '.join(observed)}" if observed else "no ruleset triggered"
    unresolved = [outcome for outcome in decision.outcomes if outcome.status in UNRESOLVED]
    for mode, why in (("enforce", "and on_failure is allow"), ("observe", "only observed")):
        names = [outcome.ruleset.name for outcome in unresolved if outcome.ruleset.mode == mode]
        if names:
            text += f"; could not be checked, {why}: {', '.join(names)}"
    return text


def _rule(outcome: RuleOutcome) -> str:
    return f"{outcome.rule} ({_measured(outcome.measurement)})"


def _measured(measurement: Measurement | None) -> str:
    if measurement is None:
        return "was not measured"
    if isinstance(measurement, Failure):
        return f"{'late' if measurement.timed_out else 'failed'}: {measurement.error}"
    value = measurement.value
    if isinstance(value, tuple):
        text = "found " + (", ".join(value) or "nothing")
    elif value is None:
        text = "found no text there"
    elif isinstance(value, str):
        text = f"was {value}"
    else:
        text = f"was {value:.3g}"
    return text + (f", {measurement.reason}" if measurement.reason else "")
