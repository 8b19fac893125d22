"""One line of the table: what was measured, and what it has to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """`measured` holds where it is at most `limit`, or at least where `least`; `detail` says what it was made of.

    `measured` None: it could not be, for the reason in `detail`.
    """

    work: str
    measured: float | None
    limit: float
    unit: str = "times"
    detail: str = ""
    least: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether it is within its limit; None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.least else self.measured <= self.limit


def table(rows: Sequence[Row]) -> Table:
    """The rows as they are shown."""
    shown = Table("work", "measured", "limit", "holds", "made of", title="What Guard costs", show_lines=True)
    for row in rows:
        measured = "—" if row.measured is None else f"{row.measured:.2f} {row.unit}"
        holds = {None: "[yellow]not measured", True: "[green]yes", False: "[red]no"}[row.holds]
        shown.add_row(row.work, measured, f"{'≥' if row.least else '≤'} {row.limit:g} {row.unit}", holds, row.detail)
    return shown
