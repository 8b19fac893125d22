"""A verdict as Galileo's clients are told it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from guard.central.compat.galileo.translate import BOTH
from guard.central.compat.galileo.wire import Invocation
from guard.metrics import Failure, Measurement, Probe
from guard.stages import Status
from guard.stages.decision import RuleOutcome, RulesetOutcome
from guard.stages.rule import NUMBER
from guard.verdict import Verdict


class Asked(NamedTuple):
    """A check as it was asked for. `written` are the stage's rulesets as the client knows them, by Guard's names."""

    body: Invocation
    stage: sa.Row[Any]
    version: int
    written: dict[str, dict[str, Any]]
    received: int


def response(asked: Asked, verdict: Verdict) -> dict[str, Any]:
    """The answer to a check that was made."""
    decision = verdict.decision
    outcomes = {outcome.ruleset.name: outcome for outcome in decision.outcomes}
    # What stands there besides is the organisation's floor.
    floor = {name: one.ruleset.model_dump(mode="json") for name, one in outcomes.items() if name not in asked.written}
    listed = [(written, outcomes.get(name)) for name, written in {**floor, **asked.written}.items()]
    metrics = {
        rule["metric"]: _metric(one, one.measurement)
        for written, outcome in listed
        if outcome
        for rule, one in zip(written["rules"], outcome.rules, strict=True)
        if one.measurement
    }
    status = decision.status
    if asked.stage.paused and status in (Status.SKIPPED, Status.NOT_TRIGGERED):
        status = Status.PAUSED  # also where the organisation's floor was asked all the same
    said = {
        "ruleset_results": [_result(written, outcome) for written, outcome in listed],
        "metric_results": metrics,
        "guard": {"event": verdict.event, "policy": verdict.policy.label, "why": verdict.why},
    }
    return _answer(asked, status, verdict.text, decision.action.type) | said


def broken(asked: Asked, refusal: str) -> dict[str, Any]:
    """The answer where nothing could be checked."""
    results = [_result(written, None, Status.ERROR) for written in asked.written.values()]
    return _answer(asked, Status.ERROR, refusal, "override") | {"ruleset_results": results, "metric_results": {}}


def _answer(asked: Asked, status: Status, text: str, action: str) -> dict[str, Any]:
    now, stage = time.time_ns(), asked.stage
    return {
        "text": text,
        "status": status.upper(),
        "trace_metadata": {
            "id": str(uuid4()),
            "received_at": asked.received,
            "response_at": now,
            "execution_time": (now - asked.received) * 1e-9,
        },
        "stage_metadata": {
            "project_id": stage.project,
            "stage_id": stage.id,
            "stage_name": stage.name,
            "stage_version": asked.version,
            "stage_type": stage.type,
        },
        "action_result": {"type": action.upper(), "value": text},
        "metadata": asked.body.metadata,
        "headers": asked.body.headers,
        "api_version": "1.0.0",
    }


def _result(written: dict[str, Any], outcome: RulesetOutcome | None, status: Status = Status.SKIPPED) -> dict[str, Any]:
    """How a ruleset came out; without an outcome it was not asked, and has that status."""
    status = outcome.status if outcome else status
    rules = written["rules"]
    outcomes = outcome.rules if outcome else [None] * len(rules)
    action = {**written["action"], "type": written["action"]["type"].upper()}
    return {
        "status": status.upper(),
        "rules": rules,
        "action": action,
        "description": written["description"],
        "rule_results": [_rule(rule, one, status) for rule, one in zip(rules, outcomes, strict=True)],
    }


def _rule(written: dict[str, Any], outcome: RuleOutcome | None, status: Status) -> dict[str, Any]:
    told = {"metric": written["metric"], "operator": written["operator"], "target_value": written["target_value"]}
    if outcome is None:
        return told | {"status": status.upper(), "value": None, "execution_time": None}
    as_number = outcome.rule.operator in NUMBER
    seconds = outcome.measurement.millis / 1000 if outcome.measurement else None
    value = _value(outcome.probe, outcome.measurement, as_number=as_number)
    return told | {"status": outcome.status.upper(), "value": value, "execution_time": seconds}


def _metric(outcome: RuleOutcome, measurement: Measurement) -> dict[str, Any]:
    told = {"value": _value(outcome.probe, measurement), "execution_time": measurement.millis / 1000}
    if isinstance(measurement, Failure):
        return told | {"status": "timeout" if measurement.timed_out else "failed", "error_message": measurement.error}
    return told | {"status": "success", "error_message": None}


def _value(probe: Probe, measurement: Measurement | None, *, as_number: bool = False) -> Any:
    if measurement is None or isinstance(measurement, Failure):
        return None
    if probe.metric == BOTH and not as_number:
        return list(measurement.labels or ())
    return list(measurement.value) if isinstance(measurement.value, tuple) else measurement.value
