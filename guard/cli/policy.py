"""`guard policy`: what policies say, whether they are sound, and what they do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from guard.cli.policy_view import show_changes, show_policy, show_trials, show_verdict
from guard.errors import PolicyError, SettingsError, nearest
from guard.guard import Guard
from guard.loop import run
from guard.metrics import SIDES
from guard.policies import LoadedPolicy, load_policies, load_policy
from guard.policies.cases import Suite, read_cases
from guard.policies.diff import diff
from guard.policies.files import BUILT_IN, cases_of, find, is_cases, policy_files
from guard.policies.lint import lint, lint_together
from guard.policies.trial import Trial, attempt, flipped

app = typer.Typer(help="What policies say, whether they are sound, and what they do.", no_args_is_help=True)

Paths = Annotated[list[str], typer.Argument(help="Policy files, folders of them, or builtin/NAME.")]
One = Annotated[str, typer.Argument(help="A policy file, or builtin/NAME.")]


@app.command("test")
def test(paths: Paths) -> None:
    """Try policies on their cases (NAME.cases.yaml beside each). Exits with 1 where one comes out otherwise."""
    console = Console(highlight=False)
    suites = [suite for path in paths for suite in _suites(path)]
    if not suites:
        raise PolicyError(f"{paths[0]}:1: has no test cases; write NAME.cases.yaml beside the policy NAME.yaml")
    failed = sum(_test(console, suite) for suite in suites)
    total = sum(len(suite.cases) for suite in suites)
    console.print(
        f"{total - failed} of {total} cases came out as expected", style="bold red" if failed else "bold green"
    )
    raise typer.Exit(1 if failed else 0)


@app.command("lint")
def lint_policies(paths: Paths) -> None:
    """Point out what is allowed but hardly meant. Exits with 1 where there is something."""
    remarks: list[str] = []
    for path in paths:
        linted = [lint(file) for file in _policies(path)]
        remarks += [remark for one in linted for remark in one.remarks]
        remarks += lint_together([one.policy for one in linted])
    console = Console(highlight=False)
    for remark in remarks:
        console.print(remark, markup=False, soft_wrap=True)
    console.print(f"remarks: {len(remarks)}", style="yellow" if remarks else "green")
    raise typer.Exit(1 if remarks else 0)


@app.command("explain")
def explain(
    path: One,
    text: Annotated[str | None, typer.Option(help="A text: also say what would become of it, and why.")] = None,
    stage: Annotated[str, typer.Option(help=f"Where the text stands: {', '.join(SIDES)}.")] = "input",
) -> None:
    """Say in sentences what a policy does."""
    if stage not in SIDES:
        raise SettingsError(f"--stage: no stage '{stage}'; {nearest(stage, SIDES)}")
    console = Console(highlight=False)
    policy = load_policy(path)
    if text is not None:
        verdict = Guard(policy, measure_all=True).check(text, stage)  # type: ignore[arg-type] - checked above
        show_verdict(console, verdict)
    else:
        show_policy(console, policy)


@app.command("diff")
def diff_policies(
    old: One,
    new: One,
    cases: Annotated[
        bool, typer.Option("--cases", help="Also try the cases of both, and show which come out otherwise.")
    ] = False,
) -> None:
    """Say in sentences what one policy changes against another."""
    console = Console(highlight=False)
    before, after = load_policy(old), load_policy(new)
    console.print(f"{before.label} → {after.label}", style="bold")
    show_changes(console, diff(before, after))
    if cases:
        _show_flips(console, before, after)


@app.command("list")
def list_policies() -> None:
    """The built-in policies."""
    table = Table("policy", "what it does", box=None, header_style="dim", pad_edge=False)
    for file in policy_files(BUILT_IN):
        table.add_row(f"builtin/{file.stem}", " ".join(load_policy(file).policy.description.split()))
    Console(highlight=False).print(table)


def _policies(path: str) -> list[Path]:
    folder = Path(path)
    if not folder.is_dir():
        return [find(path)]
    return [policy.file for policy in load_policies(path).policies if policy.file]


def _suites(path: str) -> Iterator[Suite]:
    """The suites that a path means: a policy's, those of a folder, or the one that a cases file holds."""
    file = Path(path)
    if is_cases(file):
        yield read_cases(file, load_policy(file.with_name(file.name.replace(".cases.", "."))))
        return
    for policy in _policies(path):
        cases = cases_of(policy)
        if cases:
            yield read_cases(cases, load_policy(policy))


def _test(console: Console, suite: Suite) -> int:
    """Try a suite and show each case; the number of those that came out otherwise."""
    console.print(suite.policy.label, style="bold")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    trials: list[Trial] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("making metrics ready", total=len(suite.cases))
        suite.policy.make_ready()
        for case in suite.cases:
            progress.update(task, description=case.name[:40])
            trials.append(run(attempt(case, suite.policy, Guard)))
            progress.advance(task)
    show_trials(console, trials, suite.lines)
    return sum(not trial.passed for trial in trials)


def _show_flips(console: Console, before: LoadedPolicy, after: LoadedPolicy) -> None:
    files = [(cases_of(policy.file), policy) for policy in (before, after) if policy.file]
    cases = [case for file, policy in files if file for case in read_cases(file, policy).cases]
    flips = 0
    for case in cases:
        came = run(flipped(case, before, after, Guard))
        if came:
            flips += 1
            console.print(Text.assemble(("~ case ", "yellow"), case.name, f": was {came[0]}, now {came[1]}"))
    console.print(f"{flips} of {len(cases)} cases come out otherwise")
