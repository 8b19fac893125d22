"""What one policy says that another does not, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from guard.policies import describe
from guard.policies.loaded import LoadedPolicy
from guard.stages import Action, Override, Rule, Ruleset, Stage

Kind = Literal["added", "removed", "changed"]

#: A stage's settings: what a change of them is about, and words for their values.
SETTINGS = {
    "timeout": "what is measured has",
    "on_failure": "what cannot be checked",
    "refusal": "what cannot be checked is answered",
    "stream": "a streamed answer is released",
    "check": "the provider is asked",
    "lookback": "earlier messages that are read together with each:",
    "reads": "what the app and the model write that is read:",
    "paused": "the stage is",
}
WORDS = {
    "block": "is refused",
    "allow": "goes on unchecked",
    "window": "window by window",
    "whole": "at its end",
    "observe": "unread",
    "before": "after the check",
    "alongside": "while the check goes on",
    True: "paused",
    False: "not paused",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where (`policy`, `input`, `input / injection`), and a sentence."""

    kind: Kind
    where: str
    text: str


def diff(old: LoadedPolicy, new: LoadedPolicy) -> list[Change]:
    """What became of one policy in another, what they extend folded in. Empty where both decide alike."""
    return [*_policy(old, new), *_stages(old, new)]


def _policy(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Change]:
    a, b = old.policy, new.policy
    if a.policy != b.policy:
        yield Change("changed", "policy", f"it is called {b.policy}, not {a.policy}")
    if a.applies_to != b.applies_to:
        yield Change(
            "changed", "policy", f"it applies to {describe.scope(b.applies_to)}, not {describe.scope(a.applies_to)}"
        )
    for kind, floors in (("added", set(b.floors) - set(a.floors)), ("removed", set(a.floors) - set(b.floors))):
        for name in sorted(floors):
            verb = "can no longer be" if kind == "added" else "can now be"
            yield Change(kind, "policy", f"{name} {verb} taken away by policies built on it")  # type: ignore[arg-type]
    for name in [*a.metrics, *(name for name in b.metrics if name not in a.metrics)]:
        yield from _metric(name, a.metrics.get(name), b.metrics.get(name), old, new)


def _metric(
    name: str, a: Mapping[str, Any] | None, b: Mapping[str, Any] | None, old: LoadedPolicy, new: LoadedPolicy
) -> Iterator[Change]:
    where = f"metric {name}"
    if a is None and b is not None:
        yield Change("added", where, f"a metric of kind {b['kind']}")
    elif b is None and a is not None:
        yield Change("removed", where, f"a metric of kind {a['kind']}")
    elif a != b and a is not None and b is not None:
        fields = [field for field in {**a, **b} if a.get(field) != b.get(field)]
        yield Change("changed", where, f"its {describe.listed(fields, 'and')} changed")
    elif old.own[name].version != new.own[name].version:
        yield Change("changed", where, "what it refers to changed (a word list, a prompt or a model)")


def _stages(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Change]:
    before = {stage.kind: _Seen(stage, old) for stage in old.policy.stages.values()}
    after = {stage.kind: _Seen(stage, new) for stage in new.policy.stages.values()}
    for kind in [*before, *(kind for kind in after if kind not in before)]:
        a, b = before.get(kind), after.get(kind)
        if a and b:
            yield from _settings(a.stage, b.stage)
            yield from _rulesets(a, b)
        else:
            yield from a.all("removed") if a else b.all("added") if b else ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A stage of one of the two policies."""

    stage: Stage
    policy: LoadedPolicy

    def rule(self, rule: Rule) -> str:
        return describe.rule(rule, self.stage, self.policy.metrics)

    def change(self, kind: Kind, ruleset: Ruleset) -> Change:
        """A whole ruleset that came or went."""
        sentence = describe.ruleset(ruleset, self.stage, self.policy.metrics)
        return Change(kind, f"{self.stage.name} / {ruleset.name}", sentence)

    def all(self, kind: Kind) -> Iterator[Change]:
        """The whole stage came or went."""
        yield Change(kind, self.stage.name, describe.stage(self.stage))
        yield from (self.change(kind, ruleset) for ruleset in self.stage.rulesets)


def _settings(a: Stage, b: Stage) -> Iterator[Change]:
    for field, subject in SETTINGS.items():
        before, after = _shown(a, field), _shown(b, field)
        if before != after:
            yield Change("changed", b.name, f"{subject} {after}; it was: {before}")


def _shown(stage: Stage, field: str) -> str:
    value = getattr(stage, field)
    if field == "timeout":
        return describe.seconds(value)
    if field == "lookback":
        return str(value)
    if field == "reads":
        return ", ".join(value) or "none"
    return f"“{value}”" if field == "refusal" else WORDS[value]


def _rulesets(a: _Seen, b: _Seen) -> Iterator[Change]:
    before = {ruleset.name: ruleset for ruleset in a.stage.rulesets}
    after = {ruleset.name: ruleset for ruleset in b.stage.rulesets}
    yield from (a.change("removed", ruleset) for name, ruleset in before.items() if name not in after)
    for name, ruleset in after.items():
        if name not in before:
            yield b.change("added", ruleset)
        else:
            where = f"{b.stage.name} / {name}"
            yield from (Change("changed", where, text) for text in _ruleset(before[name], ruleset, a, b))
    order, was = [name for name in after if name in before], [name for name in before if name in after]
    if order != was:
        yield Change("changed", b.stage.name, f"the order is now {', '.join(order)}; it was {', '.join(was)}")


def _ruleset(before: Ruleset, after: Ruleset, a: _Seen, b: _Seen) -> Iterator[str]:
    gone = [rule for rule in before.rules if rule not in after.rules]
    for rule in after.rules:
        if rule in before.rules:
            continue
        # Of several about the same, the one that reads the same texts is its older form.
        twins = [one for one in gone if (one.metric, one.of) == (rule.metric, rule.of)]
        twin = min(twins, key=lambda one: one.only != rule.only, default=None)
        if twin is None:
            yield f"triggers only where {b.rule(rule)} too, so less often"
        else:
            gone.remove(twin)
            yield f"triggers where {b.rule(rule)}{_leans(twin, rule)}; it was: {a.rule(twin)}"
    yield from (f"triggers whether or not {a.rule(rule)}, so more often" for rule in gone)
    if before.mode != after.mode:
        yield "is now enforced, not only observed" if after.mode == "enforce" else "is now only observed, not enforced"
    yield from _action(before.action, after.action)


def _action(before: Action, after: Action) -> Iterator[str]:
    if isinstance(before, Override) and isinstance(after, Override):
        if before.choices != after.choices:
            yield f"its answers are now {_quoted(after)}; they were {_quoted(before)}"
        if before.subscriptions != after.subscriptions:
            yield f"tells {describe.told(after) or 'nobody'}; it told {describe.told(before) or 'nobody'}"
    elif before != after:
        yield f"{describe.action(after)}; it was: {describe.action(before)}"


def _quoted(action: Override) -> str:
    return describe.listed([f"“{choice}”" for choice in action.choices], "or")


def _leans(before: Rule, after: Rule) -> str:
    """Whether a changed threshold or list of labels makes a rule hold more often or less; empty: unknown."""
    x, y, operator = before.target_value, after.target_value, after.operator
    if before.operator != operator or before.only != after.only:
        return ""
    more, less = ", so more often", ", so less often"
    if operator in ("gt", "gte", "lt", "lte") and isinstance(x, (int, float)) and isinstance(y, (int, float)):
        return more if (y < x) == (operator in ("gt", "gte")) else less
    if operator in ("any", "all") and isinstance(x, list) and isinstance(y, list):
        if set(x) < set(y):
            return more if operator == "any" else less
        if set(y) < set(x):
            return less if operator == "any" else more
    return ""
