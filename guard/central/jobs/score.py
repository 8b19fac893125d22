"""A job that measures rows, and sets what it found against their labels."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from guard.central.jobs.ask import Score
from guard.errors import Invalid, MetricError, SettingsError
from guard.evaluate import Row, Scorer, Tally, scored, truth_of
from guard.metrics.registry import Registry

#: Rows in hand at a time.
AT_ONCE = 8


class ScoreWork:
    """What `Score` asks for, with these metrics. Raises UnknownMetric, and Invalid for a side they do not measure."""

    def __init__(self, ask: Score, metrics: Registry) -> None:
        self._ask = ask
        self._failed: Counter[str] = Counter()
        self._tallies = {name: Tally(name, at=ask.threshold) for name in ask.metrics} if ask.label else {}
        self._unlabelled = 0
        try:
            self._scorer = Scorer({name: metrics[name] for name in ask.metrics}, ask.side)
        except SettingsError as error:
            raise Invalid(str(error).removeprefix("--side: "), param="ask.side") from None

    async def ready(self) -> None:
        """Load the metrics. Raises MetricError where one cannot be."""
        for name, metric in self._scorer.metrics.items():
            try:
                if metric.warm_up is not None:
                    await asyncio.to_thread(metric.warm_up)
            except Exception as error:  # noqa: BLE001 - a metric is foreign code
                raise MetricError(f"metric '{name}' cannot be made ready: {type(error).__name__}: {error}") from None

    async def results(self, rows: Sequence[Row]) -> AsyncIterator[dict[str, Any]]:
        """What is measured of each row. Raises SettingsError for a row that does not hold it."""
        async for _, entries in scored(rows, self._scorer, AT_ONCE):
            yield {"scores": entries}

    def add(self, row: Row, result: dict[str, Any]) -> None:
        """Count a row and what came of it. Raises SettingsError for a label that cannot be read."""
        entries = result["scores"]
        self._failed.update(name for name, entry in entries.items() if "error" in entry)
        truth = truth_of(row, self._ask.label, {}) if self._ask.label else None
        self._unlabelled += truth is None
        if truth is not None:
            for name, tally in self._tallies.items():
                tally.add(row, truth, entries[name], "")

    def report(self) -> dict[str, Any]:
        """The sum of it. Takes a while where there are labels."""
        report: dict[str, Any] = {"failed": dict(self._failed)}
        if self._ask.label:
            found = [replace(tally.result(), curve=None) for tally in self._tallies.values()]
            report |= {"unlabelled": self._unlabelled, "figures": orjson.loads(orjson.dumps(found, option=_NUMPY))}
        return report


_NUMPY = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
