"""What a row's label says should be found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guard.evaluate.rows import Row
from guard.evaluate.spans import Place, place_of

HINT = "write 0 or 1, a label, a list of labels, {label: 0 or 1} or [{start, end, label}]"


@dataclass(frozen=True, slots=True)
class Truth:
    """One of three: whether the row should be found, which labels it has, or where they stand.

    `labels` says yes or no for those that the row says something about; where `closed`, every other label is a no.
    """

    found: bool | None = None
    labels: Mapping[str, bool] | None = None
    spans: tuple[Place, ...] | None = None
    closed: bool = True


def truth_of(row: Row, field: str, renamed: Mapping[str, str]) -> Truth | None:
    """The truth in a field (a path); None where the row has none or null. Labels are read by their new names.

    A number counts as yes from 0.5 on. An empty list says that there is nothing, neither labels nor spans.
    Raises SettingsError, with the line, where it is something else.
    """
    value = row.at(field)
    if value is None:
        return None
    if isinstance(value, (bool, int, float)):
        return Truth(found=_yes(value, row, field))
    if isinstance(value, str):
        return Truth(labels={renamed.get(value, value): True})
    if isinstance(value, Mapping):
        known = {renamed.get(label, label): _yes(one, row, field) for label, one in value.items() if one is not None}
        return Truth(labels=known, closed=False)
    if value == []:
        return Truth(labels={}, spans=())
    if isinstance(value, list) and all(isinstance(label, str) for label in value):
        return Truth(labels={renamed.get(label, label): True for label in value})
    if isinstance(value, list) and all(isinstance(span, Mapping) for span in value):
        return Truth(spans=tuple(_place(span, row, field, renamed) for span in value))
    raise row.refused(f"'{field}' is {value!r:.80}; {HINT}")


def _yes(value: Any, row: Row, field: str) -> bool:
    if not isinstance(value, (bool, int, float)) or not 0 <= value <= 1:
        raise row.refused(f"'{field}' holds {value!r:.80}; {HINT}")
    return value >= 0.5


def _place(span: Any, row: Row, field: str, renamed: Mapping[str, str]) -> Place:
    place = place_of(span)
    if place is None:
        raise row.refused(f"'{field}' holds {span!r:.80}; a span is {{start, end, label}}, in characters, not empty")
    return place._replace(label=renamed.get(place.label, place.label))
