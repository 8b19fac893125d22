"""Counts as plain numbers: what the hot path adds to, and what a scrape reads.

The client library's own counters cost two microseconds a time and one of them is locked at a time; a request has some
twenty. So it is asked only to write what was counted.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, TypeAlias

from guard.telemetry.families import FAMILIES, Family

Labels: TypeAlias = tuple[str, ...]
#: A family's name → the values of its labels → one number, or for a histogram a count for each bucket and the sum.
Series: TypeAlias = dict[str, dict[Labels, list[float]]]


class Tally:
    """The numbers of one process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._series: Series = {family.name: {} for family in FAMILIES}
        self._lock = threading.Lock()

    def add(self, family: Family, *labels: str, amount: float = 1.0) -> None:
        """Count up."""
        with self._lock:
            series = self._series[family.name]
            known = series.get(labels)
            if known is None:
                series[labels] = [amount]
            else:
                known[0] += amount

    def set(self, family: Family, value: float, *labels: str) -> None:
        """Say what a gauge, or a count that somebody else keeps, stands at."""
        with self._lock:
            self._series[family.name][labels] = [value]

    def observe(self, family: Family, value: float, *labels: str) -> None:
        """Take one value into a histogram."""
        with self._lock:
            series = self._series[family.name]
            known = series.get(labels)
            if known is None:
                known = series[labels] = [0.0] * (len(family.buckets) + 2)
            known[bisect_left(family.buckets, value)] += 1
            known[-1] += value

    def series(self) -> Series:
        """A copy of all numbers as they stand."""
        with self._lock:
            return {name: {labels: list(one) for labels, one in of.items()} for name, of in self._series.items()}

    def resume(self, series: Series) -> None:
        """Go on counting from what a process before this one had counted."""
        with self._lock:
            self._series = merged([self._series, without_gauges(series)])


def merged(processes: Iterable[Series]) -> Series:
    """The numbers of several processes as one."""
    result: Series = {family.name: {} for family in FAMILIES}
    for series in processes:
        for family in FAMILIES:
            into = result[family.name]
            for labels, values in series.get(family.name, {}).items():
                known = into.get(labels)
                if known is None or len(known) != len(values):
                    into[labels] = list(values)
                elif family.merge == "max":
                    into[labels] = [max(pair) for pair in zip(known, values, strict=True)]
                else:
                    into[labels] = [sum(pair) for pair in zip(known, values, strict=True)]
    return result


def without_gauges(series: Series) -> Series:
    """What stays true of a process that has ended."""
    kept = {family.name for family in FAMILIES if family.kind != "gauge"}
    return {name: of for name, of in series.items() if name in kept}


def to_plain(series: Series) -> list[Any]:
    """The numbers as JSON can hold them."""
    return [[name, list(labels), values] for name, of in series.items() for labels, values in of.items()]


def from_plain(rows: Iterable[Any]) -> Series:
    """The numbers back from `to_plain`. Raises ValueError or TypeError for anything else."""
    series: Series = {}
    for name, labels, values in rows:
        series.setdefault(str(name), {})[tuple(map(str, labels))] = [float(value) for value in values]
    return series


class Names:
    """The first `limit` names that were met. Every later one is `other`, so that nobody can make labels without end."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: frozenset[str] = frozenset()

    def of(self, name: str, *, learn: bool = True) -> str:
        """The name as a label; one that is not known stays so unless it is learnt."""
        if not name or name in self._known:
            return name
        if not learn or len(name) > 100 or len(self._known) >= self._limit:
            return "other"
        self._known |= {name}
        return name
