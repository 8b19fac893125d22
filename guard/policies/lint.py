"""What is allowed in a policy but hardly meant: each remark with file, line and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guard.metrics.encoder.facts import facts
from guard.metrics.registry import REGISTRY, Registry
from guard.policies import describe, reach
from guard.policies.cases import read_cases
from guard.policies.document import Document, read
from guard.policies.files import cases_of, find
from guard.policies.load import load_document
from guard.policies.loaded import LoadedPolicy
from guard.policies.plain import Place
from guard.stages import Override, Redact, Ruleset, Stage

SENTENCE_ENDS = frozenset(".!?…。！？)\"”»'")  # noqa: RUF001 - sentences end so in many scripts


@dataclass(frozen=True, slots=True)
class Linted:
    """A policy with the remarks on it, one line each: `file:line: what; what to do`."""

    policy: LoadedPolicy
    remarks: tuple[str, ...]


def lint(source: str | Path, *, metrics: Registry = REGISTRY) -> Linted:
    """The remarks on one policy. Raises PolicyError where it cannot be used at all, its cases included."""
    file = find(source)
    document = read(file)
    policy = load_document(document, file, metrics=metrics)
    remarks = [*_whole(policy), *_stages(policy), *_written(policy, document), *_cases(policy, document)]
    return Linted(policy, tuple(document.problem(path, text) for path, text in remarks))


def lint_together(policies: Sequence[LoadedPolicy]) -> list[str]:
    """The remarks on policies that are in force together."""
    remarks = []
    for place, policy in enumerate(policies):
        for before in policies[:place]:
            if policy.policy.applies_to == before.policy.applies_to:
                wins, loses = sorted((policy.name, before.name))
                remarks.append(
                    f"{policy.file}:1: applies to {describe.scope(policy.policy.applies_to)}, as '{before.name}' does; "
                    f"'{wins}' wins by its name and '{loses}' never applies: narrow the applies_to of one"
                )
    return remarks


def _whole(policy: LoadedPolicy) -> Iterator[tuple[Place, str]]:
    stages = policy.policy.stages.values()
    enforced = [ruleset for stage in stages for ruleset in stage.rulesets if ruleset.mode == "enforce"]
    if any(stage.rulesets for stage in stages) and not enforced:
        yield (), "only observes: whatever it finds goes on; set mode: enforce where you trust it"
    for kind in ("input", "output"):
        if not policy.has(kind):
            yield ("stages",), f"has no {kind} stage, so {describe.SIDE[kind]} is not checked; add one"
    asked = {rule.metric for stage in stages for ruleset in stage.rulesets for rule in ruleset.rules}
    for name in policy.policy.metrics:
        if name not in asked:
            yield ("metrics", name), f"no rule asks for the metric '{name}'; remove it, or write a rule"


def _stages(policy: LoadedPolicy) -> Iterator[tuple[Place, str]]:
    for stage in policy.policy.stages.values():
        path: Place = ("stages", stage.name)
        unchecked = f"{describe.SIDE[stage.kind]} is not checked"
        if stage.paused:
            yield (*path, "paused"), f"{unchecked} while the stage is paused; resume it"
        elif not stage.rulesets:
            yield path, f"{unchecked} by a stage without rulesets; write some, or remove it"
        if stage.on_failure == "allow":
            yield (*path, "on_failure"), "what cannot be checked goes on unchecked; set on_failure: block"
        if stage.stream == "observe":
            yield (*path, "stream"), "what a streamed answer says has gone out when it is read; set stream: window"
        if stage.check == "alongside" and stage.redacts:
            yield (*path, "check"), "has no effect beside a redaction, which has to come first; set check: before"
        yield from (((*path, "timeout"), text) for text in reach.rarely_in_time(stage, policy.metrics))


def _written(policy: LoadedPolicy, document: Document) -> Iterator[tuple[Place, str]]:
    """Remarks on the rulesets of this file; those of what it extends are remarked on there."""
    for stage in policy.policy.stages.values():
        pre_empted = {ruleset.name: text for ruleset, text in reach.pre_empted(stage)}
        for ruleset in stage.rulesets:
            path = _place(document, stage, ruleset)
            if path is None:
                continue
            yield from ((path, text) for text in reach.cannot_hold(ruleset, stage, policy.policy.metrics))
            yield from ((path, text) for text in reach.holds_too_often(ruleset, _shares()))
            if ruleset.name in pre_empted:
                yield path, f"'{ruleset.name}' {pre_empted[ruleset.name]}"
            yield from (((*path, "action"), text) for text in _action(ruleset, stage, policy))


def _shares() -> dict[str, Mapping[str, float]]:
    """Which thresholds of the shipped model a share of ordinary texts reaches."""
    return {name: head.thresholds for name, head in facts().heads.items() if head.kind == "number"}


def _place(document: Document, stage: Stage, ruleset: Ruleset) -> Place | None:
    written = (document.data.get("stages") or {}).get(stage.name) or {}
    for number, one in enumerate(written.get("rulesets") or ()):
        if one["name"] == ruleset.name:
            return ("stages", stage.name, "rulesets", number)
    return None


def _action(ruleset: Ruleset, stage: Stage, policy: LoadedPolicy) -> Iterator[str]:
    action = ruleset.action
    if isinstance(action, Override):
        if any(not choice.strip() for choice in action.choices):
            yield "one of its answers is empty, which an app may show as an error; write a sentence"
        ends = [choice.rstrip()[-1:] in SENTENCE_ENDS for choice in action.choices]
        if any(ends) and not all(ends):
            cut = action.choices[ends.index(False)]
            yield f"'{cut}' ends without a full stop: in [a, b] each comma begins an answer; put answers into quotes"
        if len(set(action.choices)) < len(action.choices):
            yield "two of its answers are the same; remove one"
    if isinstance(action, Redact):
        here = [policy.metrics[rule.metric] for rule in ruleset.rules if (rule.of or stage.kind) == stage.kind]
        if all(metric.kind != "labels" and metric.labels is None for metric in here):
            names = describe.listed(sorted({metric.name for metric in here}), "and")
            yield f"{names} may name no place in the text, and then the whole text is refused; use override"


def _cases(policy: LoadedPolicy, document: Document) -> Iterator[tuple[Place, str]]:
    assert policy.file is not None
    file = cases_of(policy.file)
    if file is None:
        yield (), f"has no test cases; write {policy.file.stem}.cases.yaml beside it: what must trigger, what must pass"
        return
    suite = read_cases(file, policy)
    tried = {name for case in suite.cases for name in case.triggers}
    own = [
        ruleset.name
        for stage in policy.policy.stages.values()
        for ruleset in stage.rulesets
        if _place(document, stage, ruleset) is not None
    ]
    untried = [name for name in dict.fromkeys(own) if name not in tried]
    if untried:
        yield (), f"no case triggers {describe.listed(untried, 'or')}; add one to {file.name} for each"
    if not any(case.passes for case in suite.cases):
        yield (), f"no case passes; add near misses to {file.name}: what must not trigger"
