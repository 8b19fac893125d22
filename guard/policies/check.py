"""Whether a policy's rules can mean anything: each metric known, each comparison possible, each floor firm.

At run time a comparison that means nothing is false, so a typing error would read as safe: it is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guard.errors import UnknownMetric, nearest
from guard.metrics.metric import Metric
from guard.metrics.selector import FITTING, Selector
from guard.metrics.turn import ASKED, Side
from guard.policies.describe import listed
from guard.policies.plain import Place
from guard.policies.policy import Policy
from guard.stages import Redact, Rule, Ruleset, Stage
from guard.stages.rule import LABELS, NUMBER


def complaints(policy: Policy, metrics: Mapping[str, Metric]) -> Iterator[tuple[Place, str]]:
    """What is wrong with the rules and actions as written: (path in the file, what and the fix)."""
    for stage in policy.stages.values():
        for number, ruleset in enumerate(stage.rulesets):
            path: Place = ("stages", stage.name, "rulesets", number)
            found = [(rule, _metric(rule, metrics)) for rule in ruleset.rules]
            for place, (rule, metric) in enumerate(found):
                is_known = isinstance(metric, Metric)
                wrong = _rule(rule, metric, rule.of or stage.kind) if is_known else (("metric",), metric)
                if wrong:
                    yield (*path, "rules", place, *wrong[0]), wrong[1]
            known = [(rule, metric) for rule, metric in found if isinstance(metric, Metric)]
            if isinstance(ruleset.action, Redact) and len(known) == len(found):
                here = [metric for rule, metric in known if (rule.of or stage.kind) == stage.kind]
                yield from (((*path, "action", *tail), text) for tail, text in _redact(ruleset.action, stage, here))


def floor_complaints(written: Policy, policy: Policy) -> Iterator[tuple[Place, str]]:
    """Floors that a policy declares and that would not hold; `policy` is the same with what it extends folded in."""
    for number, floor in enumerate(written.floors):
        if floor not in policy.ruleset_names:
            fix = nearest(floor, policy.ruleset_names) if policy.ruleset_names else "there are no rulesets yet"
            yield ("floors", number), f"no ruleset '{floor}' to make a floor of; {fix}"
        for stage in policy.stages.values():
            for ruleset in stage.rulesets:
                if ruleset.name == floor:
                    yield from ((("floors", number), text) for text in _soft(ruleset, stage))


def unread(written: Policy, policy: Policy) -> Iterator[tuple[Place, str]]:
    """Roles that rules choose and that no stage reads; `policy` is the same with what it extends folded in."""
    read = {"user", *(role for stage in policy.stages.values() for role in stage.reads)}
    for stage in written.stages.values():
        for number, ruleset in enumerate(stage.rulesets):
            for place, rule in enumerate(ruleset.rules):
                for role in rule.only.roles if rule.only else ():
                    if role not in read:
                        path: Place = ("stages", stage.name, "rulesets", number, "rules", place, "only", "roles")
                        yield path, f"messages of the role {role} are not read; add reads: [{role}] to the input stage"


def _soft(ruleset: Ruleset, stage: Stage) -> Iterator[str]:
    if ruleset.mode == "observe":
        yield f"'{ruleset.name}' is only observed, so as a floor it holds nothing; set mode: enforce"
    if stage.on_failure == "allow":
        # Else a policy built on this one could make its checks late, by a short timeout or a slow metric.
        yield f"'{ruleset.name}' stands in stage '{stage.name}', which lets failed checks pass; set on_failure: block"


def _metric(rule: Rule, metrics: Mapping[str, Metric]) -> Metric | str:
    try:
        return metrics[rule.metric]
    except UnknownMetric as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a metric is made by foreign code, maybe of a package that is missing
        return f"'{rule.metric}' cannot be used here: {type(error).__name__}: {error}"


def _rule(rule: Rule, metric: Metric, side: Side) -> tuple[Place, str] | None:
    """What is wrong with a rule: (path within it, what and the fix)."""
    if side not in metric.sides:
        place = "of" if rule.of else "metric"
        return (place,), f"'{metric.name}' does not measure {side}; it measures {', '.join(sorted(metric.sides))}"
    if rule.only and (wrong := _misfit(rule.only, side)):
        return ("only",), wrong
    fitting = _fitting(metric)
    if rule.operator not in fitting:
        wrong = f"{rule.operator} cannot be asked of '{metric.name}', {_gives(metric)}; use {listed(fitting, 'or')}"
        return ("operator",), wrong
    return _target(rule, metric)


def _misfit(only: Selector, side: Side) -> str:
    """What a selector says that is not to be told apart on a side, and the fix; empty where it fits."""
    wrong = [name for name in only.written if name not in FITTING[side]]
    if not wrong:
        return ""
    known = (
        f"there it can hold {listed(FITTING[side], 'or')}"
        if FITTING[side]
        else "remove it; output is always read whole"
    )
    return f"{listed(wrong, 'or')} cannot choose from {side}; {known}"


def _target(rule: Rule, metric: Metric) -> tuple[Place, str] | None:
    operator, target = rule.operator, rule.target_value
    if operator in ("empty", "not_empty"):
        return None if target is None else (("target_value",), f"{operator} compares with nothing; remove target_value")
    if operator in NUMBER and metric.kind == "number":
        return None if isinstance(target, (bool, int, float)) else _needs(rule, "a number")
    if operator in ("all", "any"):
        if not isinstance(target, list) or not target or not all(isinstance(label, str) for label in target):
            return _needs(rule, "a list of words with at least one")
        return next((found for place, label in enumerate(target) if (found := _label(label, metric, place))), None)
    return _label(target, metric) if isinstance(target, str) else _needs(rule, "a word")


def _label(label: str, metric: Metric, *place: int) -> tuple[Place, str] | None:
    if metric.labels is None or label in metric.labels:
        return None
    return ("target_value", *place), f"'{metric.name}' never gives '{label}'; {nearest(label, metric.labels)}"


def _needs(rule: Rule, what: str) -> tuple[Place, str]:
    given = "" if rule.target_value is None else f", not {rule.target_value!r}"
    return ("target_value",), f"{rule.operator} needs {what} as target_value{given}"


def _fitting(metric: Metric) -> list[str]:
    """The operators that can be asked of a metric."""
    if metric.kind == "label":
        return ["eq", "neq", "any"]
    numbers = list(NUMBER) if metric.kind == "number" else []
    return numbers + (sorted(LABELS) if metric.kind == "labels" or metric.labels is not None else [])


def _gives(metric: Metric) -> str:
    return {"number": "which is a number", "labels": "which is a list of labels", "label": "which is one label"}[
        metric.kind
    ]


def _redact(action: Redact, stage: Stage, here: list[Metric]) -> Iterator[tuple[Place, str]]:
    """What is wrong with a redaction; `here` are the metrics that read the stage's own side."""
    if not here:
        yield (), f"nothing of {stage.kind} is measured here, so nothing of it can be redacted; use override"
    if action.restore and action.mask not in ("label", "fake"):
        yield ("restore",), f"what is masked with {action.mask} cannot be restored; use mask: label, or fake"
    # Only what a request holds comes back by way of the model, so that what was hidden in it can be put back.
    if action.restore and stage.kind not in ASKED:
        yield ("restore",), f"restoring in {stage.kind} would undo the redaction; remove it, or redact in input"
    closed = all(metric.labels is not None for metric in here)
    labels = {label for metric in here for label in metric.labels or ()}
    for number, label in enumerate(action.labels if here and closed else ()):
        if label not in labels:
            yield ("labels", number), f"nothing here gives '{label}'; {nearest(label, labels)}"
