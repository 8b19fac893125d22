"""The labels of `pii`, and what Galileo calls them. The table is labels.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from guard.errors import MetricError, nearest


@cache
def _table() -> dict[str, dict[str, str]]:
    return YAML(typ="safe").load(Path(__file__).with_name("labels.yaml").read_text("utf-8"))


def labels() -> frozenset[str]:
    """Every label that `pii` can give."""
    return frozenset(_table())


@cache
def general() -> frozenset[str]:
    """The labels that say less than any other about the same text."""
    return frozenset(label for label, row in _table().items() if row.get("general"))


@cache
def of_galileo() -> frozenset[str]:
    """The labels that Galileo has too."""
    return frozenset(label for label, row in _table().items() if "galileo" in row)


def galileo(label: str, *, older: bool = False) -> str:
    """What Galileo calls a label, or the label itself where Galileo has no name for it.

    `older` gives the names of its first PII metric (address date email financial_info name phone_number ssn
    username_password).
    """
    return _table()[label].get("older" if older else "galileo", label)


def from_galileo(name: str) -> frozenset[str]:
    """The labels that a name stands for: one of ours, Galileo's, or an older Galileo name that covers several.

    Raises MetricError with the nearest name where it is none of them.
    """
    found = frozenset(label for label, row in _table().items() if name in (label, row.get("galileo"), row.get("older")))
    if not found:
        older = {row["older"] for row in _table().values() if "older" in row}
        raise MetricError(f"no label '{name}' of personal data; {nearest(name, labels() | older)}")
    return found
