"""Whether a policy's rules can mean anything: each metric known, each comparison possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guard.errors import UnknownMetric, nearest
from guard.metrics.metric import Metric
from guard.policies.policy import Policy
from guard.stages import Redact, Rule, Ruleset, Stage
from guard.stages.rule import LABELS, NUMBER

Path = tuple[str | int, ...]


def complaints(policy: Policy, metrics: Mapping[str, Metric]) -> Iterator[tuple[Path, str]]:
    """What is wrong with the rules: (path in the file, what and the fix).

    At run time a comparison that means nothing is false, so a typing error would read as safe: it is refused here.
    """
    for stage in policy.stages.values():
        for number, ruleset in enumerate(stage.rulesets):
            path: Path = ("stages", stage.name, "rulesets", number)
            for place, rule in enumerate(ruleset.rules):
                yield from ((((*path, "rules", place, field)), text) for field, text in _rule(rule, stage, metrics))
            yield from (((*path, "action"), text) for text in _redact(ruleset, stage))


def unknown_floors(written: Policy, known: set[str]) -> Iterator[tuple[Path, str]]:
    """Floors that name no ruleset, the inherited ones counted in."""
    for floor in written.floors:
        if floor not in known:
            yield ("floors",), f"no ruleset '{floor}' to make a floor of; {nearest(floor, known)}"


def _rule(rule: Rule, stage: Stage, metrics: Mapping[str, Metric]) -> Iterator[tuple[str, str]]:
    try:
        metric = metrics[rule.metric]
    except UnknownMetric as error:
        yield "metric", str(error)
        return
    side = rule.of or stage.kind
    if side not in metric.sides:
        yield "of" if rule.of else "metric", f"'{metric.name}' does not measure {side}; it measures {_list(metric.sides)}"
    problem = _comparison(rule, metric)
    if problem:
        yield problem


def _comparison(rule: Rule, metric: Metric) -> tuple[str, str] | None:
    target = rule.target_value
    labelled = metric.kind == "labels" or (metric.kind == "number" and metric.labels is not None)
    if rule.operator in ("empty", "not_empty"):
        if target is not None:
            return "target_value", f"{rule.operator} compares with nothing; remove target_value"
        return None if labelled else ("operator", f"{rule.operator} needs a list, and '{metric.name}' is a {metric.kind}")
    if metric.kind == "number" and rule.operator in NUMBER:
        if isinstance(target, (bool, int, float)):
            return None
        return "target_value", f"'{metric.name}' is a number; {rule.operator} needs a number, not {target!r}"
    if metric.kind == "label" and rule.operator in ("eq", "neq"):
        return _labels("target_value", [target], metric) if isinstance(target, str) else _needs(rule, "a string")
    if rule.operator == "any" and (labelled or metric.kind == "label"):
        return _list_target(rule, metric)
    if labelled and rule.operator == "all":
        return _list_target(rule, metric)
    if labelled and rule.operator == "contains":
        return _labels("target_value", [target], metric) if isinstance(target, str) else _needs(rule, "a string")
    return "operator", f"'{metric.name}' gives a {metric.kind}; {_fitting(metric, labelled)}"


def _list_target(rule: Rule, metric: Metric) -> tuple[str, str] | None:
    target = rule.target_value
    if not isinstance(target, list) or not target or not all(isinstance(label, str) for label in target):
        return _needs(rule, "a list of strings with at least one")
    return _labels("target_value", target, metric)


def _labels(field: str, labels: list, metric: Metric) -> tuple[str, str] | None:
    for label in labels:
        if metric.labels is not None and label not in metric.labels:
            return field, f"'{metric.name}' never gives '{label}'; {nearest(label, metric.labels)}"
    return None


def _needs(rule: Rule, what: str) -> tuple[str, str]:
    return "target_value", f"{rule.operator} needs {what}, not {rule.target_value!r}"


def _fitting(metric: Metric, labelled: bool) -> str:
    words = {"number": sorted(NUMBER), "labels": sorted(LABELS), "label": ["any", "eq", "neq"]}[metric.kind]
    if metric.kind == "number" and labelled:
        words = [*words, *sorted(LABELS)]
    return "use one of " + ", ".join(words)


def _redact(ruleset: Ruleset, stage: Stage) -> Iterator[str]:
    if isinstance(ruleset.action, Redact):
        if all((rule.of or stage.kind) != stage.kind for rule in ruleset.rules):
            yield f"nothing of {stage.kind} is measured here, so nothing of it can be redacted; use override"
        if ruleset.action.restore and ruleset.action.mask != "label":
            yield f"what is masked with {ruleset.action.mask} cannot be restored; use mask: label"


def _list(words: frozenset[str]) -> str:
    return ", ".join(sorted(words))
