"""Policies on a terminal: what one says, what it did with a text or its cases, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from guard.policies import LoadedPolicy, describe
from guard.policies.diff import Change
from guard.policies.expect import came_to
from guard.policies.trial import Trial
from guard.stages import Status
from guard.verdict import Verdict

COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def show_policy(console: Console, policy: LoadedPolicy) -> None:
    """What a policy does, in sentences, stage by stage."""
    console.print(policy.label, style="bold")
    _paragraphs(console, describe.policy(policy))
    for stage in policy.policy.stages.values():
        console.print(f"\n{stage.name}", style="bold")
        _paragraphs(console, [describe.stage(stage)])
        for number, ruleset in enumerate(stage.rulesets, 1):
            floor = " (cannot be taken away)" if ruleset.name in policy.policy.floors else ""
            console.print(Text.assemble((f"  {number}. {ruleset.name}", "cyan"), floor))
            _paragraphs(console, [describe.ruleset(ruleset, stage, policy.metrics)], indent=5)


def show_trials(console: Console, trials: Sequence[Trial], lines: Sequence[str]) -> None:
    """Each case with what came of it; of those that came out otherwise a line `file:line: …` for each expectation."""
    for trial, line in zip(trials, lines, strict=True):
        if trial.passed:
            console.print(Text.assemble(("  ✓ ", "green"), trial.case.name, (f"  {came_to(trial.outcome)}", "dim")))
            continue
        console.print(Text.assemble(("  ✗ ", "red"), trial.case.name))
        for problem in trial.problems:
            console.print(f"{line}: {problem}", markup=False, soft_wrap=True, style="red")


def show_verdict(console: Console, verdict: Verdict) -> None:
    """What became of a text, and how each ruleset and rule came out."""
    console.print(verdict.why, style="bold green" if verdict.allowed else "bold red", markup=False)
    console.print(f"{'goes on as' if verdict.allowed else 'answer'}: {verdict.text}", markup=False)
    table = Table("ruleset", "came out", "because", box=None, header_style="dim", pad_edge=False)
    for outcome in verdict.decision.outcomes:
        style = {Status.TRIGGERED: "yellow", Status.FAILED: "red", Status.TIMEOUT: "red"}.get(outcome.status, "")
        because = Text("\n".join(f"{rule.rule}: {rule.status.value.replace('_', ' ')}" for rule in outcome.rules))
        table.add_row(Text(outcome.ruleset.name), Text(outcome.status.value.replace("_", " "), style=style), because)
    console.print(table)


def show_changes(console: Console, changes: Sequence[Change]) -> None:
    """Each difference: where, and a sentence."""
    for change in changes:
        console.print(Text(f"{SIGNS[change.kind]} {change.where}", style=COLOURS[change.kind]))
        _paragraphs(console, [change.text], indent=2)
    if not changes:
        console.print("Both say the same.")


def _paragraphs(console: Console, sentences: Iterable[str], indent: int = 0) -> None:
    for sentence in sentences:
        lines = wrap(sentence, console.width, initial_indent=" " * indent, subsequent_indent=" " * indent)
        console.print("\n".join(lines), markup=False)
