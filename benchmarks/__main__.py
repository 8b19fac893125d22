"""`make bench`: every figure that Guard promises, measured beside its limit.

python -m benchmarks                      all parts, about ten minutes
python -m benchmarks hops streams         some of them: hops, turns, streams, idle, endurance, steps
python -m benchmarks --full               endurance over 200,000 requests
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

from rich.console import Console
from rich.table import Table

from benchmarks import endurance, hops, idle_streams, streams, turns
from benchmarks.row import Row, table
from benchmarks.split import decision, importing, split

STEPS = "steps"


def parts(*, full: bool) -> dict[str, Callable[[], Sequence[Row]]]:
    """What measures each part of the table."""
    return {
        "hops": hops.rows,
        "turns": turns.rows,
        "streams": streams.rows,
        "idle": idle_streams.rows,
        "endurance": partial(endurance.rows, full=full),
    }


def steps(console: Console) -> None:
    """Where the time of one check goes, step by step, in process. No limits: to see what to mend."""
    with console.status("one check, step by step …"):
        found = {"3 rules": split(), "builtin/baseline": split("builtin/baseline", 200)}
    shown = Table("input stage, 80 tokens: µs of CPU", *found, title="Where the time goes")
    for step in next(iter(found.values())):
        shown.add_row(step, *(f"{each[step]:.0f}" for each in found.values()))
    console.print(shown)
    console.print(f"a decision over 100 rulesets of 3 rules: {decision() / 1000:.2f} ms of CPU")
    console.print(f"import guard: {importing():.2f} s of CPU")


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 where something is beyond its limit, 2 where an argument is not understood."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    known = parts(full="--full" in arguments)
    wanted = [name for name in arguments if name != "--full"] or [*known, STEPS]
    if not known.keys() | {STEPS} >= set(wanted):
        console.print(f"there is {', '.join(known)}, {STEPS} and --full")
        return 2
    rows: list[Row] = []
    for name in wanted:
        if name in known:
            with console.status(f"{name} …"):
                rows += known[name]()
    if rows:
        console.print(table(rows))
    if STEPS in wanted:
        steps(console)
    return int(any(row.holds is False for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
