"""Records as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from guard.client.records import Record
from guard.errors import SettingsError

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(things: Iterable[Record | Mapping[str, Any]]) -> DataFrame:
    """Checks, events, results or any other records as a table with a row for each.

    What was measured is a column each, `metric@side`; times are datetimes in UTC. Raises SettingsError without pandas.
    """
    try:
        import pandas as pd
    except ImportError:
        raise SettingsError("tables need pandas: pip install 'stageguard[pandas]'") from None
    table = pd.DataFrame([_row(thing) for thing in things])
    for name in table.columns:
        if name == "at" or str(name).endswith("_at"):
            table[name] = pd.to_datetime(table[name], unit="s", utc=True)
    return table


def _row(thing: Record | Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a record. What was measured stands in checks, events and results of jobs under names of its own."""
    cells: dict[str, Any] = asdict(thing) if isinstance(thing, Record) else {**thing}
    for name in ("measurements", "measured"):
        for one in cells.pop(name, ()):
            cells[f"{one['metric']}@{one['of']}"] = one.get("value")
    for metric, entry in (cells.pop("scores", None) or {}).items():
        cells[metric] = entry.get("value") if isinstance(entry, Mapping) else entry
    return cells
