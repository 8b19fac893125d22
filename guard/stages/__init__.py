"""Deciding: rules, rulesets, stages and the pure decision over recorded scores."""

from guard.stages.action import Action, Override, Passthrough, Redact, Status, Subscription
from guard.stages.decision import Coverage, Decision, decide, needed
from guard.stages.explain import explain
from guard.stages.rule import OPERATORS, Operator, Rule
from guard.stages.ruleset import Ruleset
from guard.stages.stage import Stage

__all__ = [
    "OPERATORS",
    "Action",
    "Coverage",
    "Decision",
    "Operator",
    "Override",
    "Passthrough",
    "Redact",
    "Rule",
    "Ruleset",
    "Stage",
    "Status",
    "Subscription",
    "decide",
    "explain",
    "needed",
]
