"""Galileo's rulesets as Guard's, to be kept, decided and read as any others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from guard.central.compat.galileo import names
from guard.central.compat.galileo.wire import SentRule, SentRuleset
from guard.errors import Invalid, MetricError
from guard.metrics import Metric, Side
from guard.metrics.metric import Kind
from guard.metrics.pii.labels import from_galileo, of_galileo
from guard.stages import Rule, Ruleset
from guard.stages.rule import NUMBER

#: Is a number to Guard, and a list of labels to Galileo: a rule may take it as either.
BOTH = "prompt_injection"


def guard_rulesets(sent: Sequence[SentRuleset], metrics: Mapping[str, Metric]) -> tuple[Ruleset, ...]:
    """The same rulesets in Guard's words, under names by place. Raises Invalid where one cannot be said."""
    return tuple(
        Ruleset(
            name=f"galileo {place}",
            description=ruleset.description or "",
            rules=tuple(_rule(rule, metrics) for rule in ruleset.rules),
            action=ruleset.action.action(),
        )
        for place, ruleset in enumerate(sent, 1)
    )


def side_of(rulesets: Sequence[Ruleset]) -> Side:
    """The side that a stage of these rulesets is for, where a payload does not say."""
    return "output" if any(rule.of == "output" for ruleset in rulesets for rule in ruleset.rules) else "input"


def _rule(sent: SentRule, metrics: Mapping[str, Metric]) -> Rule:
    known = names.known(sent.metric, metrics)
    rule = Rule(metric=known.metric, of=known.of, operator=sent.operator, target_value=sent.target_value)
    if known.metric not in metrics:
        return rule
    if not _means_something(rule, metrics[known.metric].kind):
        # To Galileo such a pairing is false, whatever the value; so is this one.
        return rule.model_copy(update={"operator": "any", "target_value": []})
    return _of_pii(rule) if known.metric == "pii" else rule


def _means_something(rule: Rule, kind: Kind) -> bool:
    operator, target = rule.operator, rule.target_value
    if kind == "number" and operator in NUMBER:
        return isinstance(target, (int, float))
    if kind == "label":
        return isinstance(target, str) if operator in ("eq", "neq") else operator == "any" and isinstance(target, list)
    if kind == "labels" or rule.metric == BOTH:
        wanted = {"contains": str, "all": list, "any": list, "empty": type(None), "not_empty": type(None)}
        return operator in wanted and isinstance(target, wanted[operator])
    return False


def _of_pii(rule: Rule) -> Rule:
    """A rule on personal data, with older names of labels taken for all that they cover."""
    target = [rule.target_value] if isinstance(rule.target_value, str) else rule.target_value
    if not isinstance(target, list):
        return rule.model_copy(update={"metric": names.PII})
    covered = [_covered(label) for label in target]
    if rule.operator == "all" and any(len(labels) > 1 for labels in covered):
        raise Invalid("'all' cannot ask for an older label that covers several; name those", param="target_value")
    labels = list(dict.fromkeys(chain.from_iterable(covered)))
    metric = names.PII if of_galileo() >= {*labels} else "pii"
    operator = "any" if rule.operator == "contains" else rule.operator
    return rule.model_copy(update={"metric": metric, "operator": operator, "target_value": labels})


def _covered(label: object) -> list:
    try:
        return sorted(from_galileo(str(label)))
    except MetricError:
        return [label]  # is never found, as with Galileo
