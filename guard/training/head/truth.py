"""What labels of rows ask for: a yes or no, one class of several, or a list of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.errors import SettingsError, nearest
from guard.evaluate.rows import Row
from guard.metrics.metric import Kind

YES = frozenset({"1", "yes", "y", "true", "t"})
NO = frozenset({"0", "no", "n", "false", "f"})
#: Different texts that a label needs on either side: one for each fold.
FEWEST = 5

#: What one row says: a class or yes/no as text, or the labels it has.
Told = str | frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is right for N rows: `table`, N x C, says which of C `labels` a row has; a number has one column, no label.

    Of kind label each row has exactly one.
    """

    gives: Kind
    labels: tuple[str, ...]
    table: NDArray[np.bool_]


def told(value: object, row: Row, separator: str | None) -> Told:
    """What a row's label says. Raises SettingsError where it is nothing that a head can learn."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return f"{value:g}"
    if isinstance(value, str):
        stripped = value.strip()
        return _set(stripped.split(separator)) if separator else stripped
    if isinstance(value, list) and all(isinstance(label, str) for label in value):
        return _set(value)
    if isinstance(value, dict) and all(_is_flag(flag) for flag in value.values()):
        return _set([label for label, flag in value.items() if flag])
    raise row.refused(f"its label is {value!r:.80}; write 0 or 1, a class, a list of labels or {{label: 0 or 1}}")


def _set(labels: Sequence[str]) -> frozenset[str]:
    return frozenset(label.strip() for label in labels) - {""}


def _is_flag(value: Any) -> bool:
    return value in (0, 1)


def truth(found: Sequence[Told], positive: Sequence[str], gives: Kind | None) -> Truth:
    """What the rows ask for together: `positive` makes a yes of these labels, `gives: labels` each class its own yes.

    Raises SettingsError where the rows do not say one kind of thing.
    """
    lists = [isinstance(one, frozenset) for one in found]
    if any(lists) and not all(lists):
        raise SettingsError(f"{sum(lists):,} rows have a list of labels and the others one label; write all alike")
    labels = tuple(sorted({label for one in found for label in (one if isinstance(one, frozenset) else [one])}))
    if positive:
        for label in positive:
            if label not in labels:
                raise SettingsError(f"--positive: no row is labelled '{label}'; {nearest(label, labels)}")
        wanted = frozenset(positive)
        hits = [bool(wanted & one) if isinstance(one, frozenset) else one in wanted for one in found]
        return Truth("number", (), np.array(hits)[:, None])
    if not any(lists) and all(label.lower() in YES | NO for label in labels):
        return Truth("number", (), np.array([str(one).lower() in YES for one in found])[:, None])
    table = np.array(
        [[label in one if isinstance(one, frozenset) else label == one for label in labels] for one in found]
    ).reshape(len(found), len(labels))
    return Truth("labels" if any(lists) or gives == "labels" else "label", labels, table)


def check_enough(truth: Truth, units: NDArray[np.integer]) -> None:
    """Raises SettingsError where a label has too few different texts, or groups of them, to be learnt and tried."""
    if not truth.table.shape[1] or (truth.gives == "label" and len(truth.labels) == 1):
        raise SettingsError("all rows have the same label; add rows that have it not")
    names = truth.labels or ("yes",)
    few = []
    for number, name in enumerate(names):
        has = truth.table[:, number]
        for side, rows in ((f"'{name}'", has), (f"not '{name}'", ~has)):
            count = len(np.unique(units[rows]))
            if count < FEWEST:
                few.append(f"{count} for {side}")
    if few:
        raise SettingsError(
            f"there are too few different texts: {', '.join(few)}; give {FEWEST} of each at the very least, "
            "20 to 50 to be of use, or leave the label out"
        )
