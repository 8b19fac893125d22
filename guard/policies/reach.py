"""Which rulesets act never or too often: rules that cannot hold, or hold for ordinary texts, or always come second."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from guard.metrics import Cost, Metric
from guard.stages import Override, Redact, Rule, Ruleset, Stage

#: Built-in metrics, and kinds of a policy's own, whose number is a probability.
PROBABILITIES = frozenset({"context_adherence", "harmful_request", "prompt_injection", "sexism", "toxicity"})
PROBABLE_KINDS = frozenset({"classifier", "head", "judge"})
#: Seconds below which an answer over the network is rarely there.
NETWORK = 1.0
#: The share of ordinary texts that a rule should not hold for, as the model's card says it.
MOST = 0.01


def cannot_hold(ruleset: Ruleset, stage: Stage, declared: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Why the rules of a ruleset can never hold; `declared` are the policy's own metrics as they are written."""
    for rule in ruleset.rules:
        kind = declared.get(rule.metric, {}).get("kind")
        if (rule.metric in PROBABILITIES or kind in PROBABLE_KINDS) and _outside(rule, 0.0, 1.0):
            yield f"'{rule}' never holds: {rule.metric} is between 0 and 1; write a target_value in between"
    for first, second in _pairs(ruleset, stage):
        if _contradict(first, second):
            yield f"'{first}' and '{second}' never hold together; remove one, or make two rulesets of them"


def holds_too_often(ruleset: Ruleset, shares: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """A threshold, all alone in its ruleset, that many ordinary texts reach.

    `shares` gives for each metric which threshold a share of them reaches, `{"0.01": 0.3}`, as its model's card does.
    """
    alone = len(ruleset.rules) == 1 and ruleset.mode == "enforce"
    for rule in ruleset.rules if alone else ():
        least, target = shares.get(rule.metric, {}).get(f"{MOST:g}"), rule.target_value
        if least and rule.operator in ("gt", "gte") and isinstance(target, (int, float)) and target < least:
            fix = f"write {math.ceil(least * 100) / 100} or more, or mode: observe"
            yield f"'{rule}' holds for more than {MOST:.0%} of ordinary texts, says the model's card; {fix}"


def pre_empted(stage: Stage) -> Iterator[tuple[Ruleset, str]]:
    """Rulesets that one before them keeps from acting, always or whenever both trigger, and the fix."""
    for place, ruleset in enumerate(stage.rulesets):
        for before in stage.rulesets[:place]:
            both_redact = isinstance(before.action, Redact) and isinstance(ruleset.action, Redact)
            if before.mode == "observe" or ruleset.mode == "observe" or both_redact:
                continue
            asks_more = all(any(_same(one, rule, stage) for rule in ruleset.rules) for one in before.rules)
            if asks_more:
                yield ruleset, f"never acts: '{before.name}' comes first and triggers whenever it does; move it up"
            elif isinstance(ruleset.action, Override) and not isinstance(before.action, Override):
                does = "redacts" if isinstance(before.action, Redact) else "passes on"
                yield ruleset, f"does not act on a text that '{before.name}' {does}, since that comes first; move it up"
            else:
                continue
            break


def rarely_in_time(stage: Stage, metrics: Mapping[str, Metric]) -> Iterator[str]:
    """Metrics that a stage asks over the network and gives too little time."""
    for probe in stage.probes:
        if metrics[probe.metric].cost == Cost.REMOTE and stage.timeout < NETWORK:
            yield f"{probe.metric} asks over the network, and {stage.timeout:g} s are rarely enough; set timeout: 5s"


def _outside(rule: Rule, low: float, high: float) -> bool:
    """Whether no number from low to high makes the rule hold."""
    target = rule.target_value
    if not isinstance(target, (int, float)):
        return False
    return {
        "gt": target >= high,
        "gte": target > high,
        "lt": target <= low,
        "lte": target < low,
        "eq": not low <= target <= high,
    }.get(rule.operator, False)


def _pairs(ruleset: Ruleset, stage: Stage) -> Iterator[tuple[Rule, Rule]]:
    for place, second in enumerate(ruleset.rules):
        for first in ruleset.rules[:place]:
            if first.probe(stage.kind) == second.probe(stage.kind):
                yield first, second


def _contradict(first: Rule, second: Rule) -> bool:
    """Whether two rules about the same measurement exclude each other."""
    finds = {"contains", "all", "any", "not_empty"}
    for a, b in ((first, second), (second, first)):
        if a.operator == "empty" and b.operator in finds:
            return True
        x, y = a.target_value, b.target_value
        if a.operator == b.operator == "eq" and x != y:
            return True
        if a.operator not in ("gt", "gte") or b.operator not in ("lt", "lte", "eq"):
            continue
        if isinstance(x, (int, float)) and isinstance(y, (int, float)):
            strict = a.operator == "gt" or b.operator == "lt"
            if y < x or (y == x and strict):
                return True
    return False


def _same(a: Rule, b: Rule, stage: Stage) -> bool:
    one, other = a.probe(stage.kind), b.probe(stage.kind)
    return (one, a.operator, a.target_value) == (other, b.operator, b.target_value)
