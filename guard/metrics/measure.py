"""Measuring a stage: every measurement it needs, each once, concurrently, cheapest first, under one deadline."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from time import perf_counter
from typing import TypeAlias, TypeVar

from guard.metrics.metric import Cost, Metric, as_measurement
from guard.metrics.plan import Plan, Work
from guard.metrics.score import ABSENT, Failure, Measurement, Measurements, Probe
from guard.metrics.threads import Crowded, Late, threads, within
from guard.metrics.turn import Turn
from guard.metrics.verdicts import Verdicts

log = logging.getLogger(__name__)

T = TypeVar("T")

Needed: TypeAlias = Callable[[Measurements], Collection[Probe]]


async def measure(
    probes: Collection[Probe],
    turn: Turn,
    metrics: Mapping[str, Metric],
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - lateness is a result here, not an exception
    needed: Needed | None = None,
    verdicts: Verdicts | None = None,
    lookback: int = 0,
    line: int | None = None,
) -> dict[Probe, Measurement]:
    """Measure `probes` on `turn`, within `timeout` seconds for all of them together.

    An exception becomes a Failure, lateness a Failure with `timed_out`; one that no thread was free for is `unstarted`
    too, at once where `line` others wait for a thread already. Metrics run by cost class, those of one class
    together; before a dearer class `needed(results so far)` says which probes can still matter, and the others are left
    out of the result. Without `needed` everything is measured. With `verdicts` a windowed metric reads only what it has
    not read before, and each message's border with up to `lookback` earlier ones. Raises nothing of a metric's own.
    """
    results: dict[Probe, Measurement] = {}
    deadline = None if timeout is None else perf_counter() + timeout
    ordered = sorted(dict.fromkeys(probes), key=lambda probe: metrics[probe.metric].cost)
    plan = Plan(turn, [probe.of for probe in ordered], verdicts, lookback)
    selected = [probe for probe in ordered if probe.only is not None]
    if selected and (missing := await _select(plan, selected, timeout, line)):
        results = {probe: missing(metrics[probe.metric]) for probe in selected}
        ordered = [probe for probe in ordered if probe.only is None]
    for cost, group in groupby(ordered, key=lambda probe: metrics[probe.metric].cost):
        wanted = list(group)
        if needed is not None and cost > Cost.FREE and results:
            still = needed(results)
            wanted = [probe for probe in wanted if probe in still]
        await plan.fetch([(metrics[probe.metric], probe) for probe in wanted])
        waiting: dict[object, dict[Probe, Work]] = {}
        for probe in wanted:
            metric = metrics[probe.metric]
            work = plan.work(metric, probe)
            if work is None:
                results[probe] = ABSENT
            elif work.inline:
                results[probe] = _now(work)
            else:
                together = (metric.shared, probe.of, probe.only) if metric.shared else probe
                waiting.setdefault(together, {})[probe] = work
        if waiting:
            left = None if deadline is None else deadline - perf_counter()
            groups = [_some(group, left, line) for group in waiting.values()]
            # One alone needs no task of its own.
            for measured in [await groups[0]] if len(groups) == 1 else await asyncio.gather(*groups):
                results.update(measured)
    if verdicts is not None:
        verdicts.flush()
    for probe in selected:
        if probe in results:
            results[probe] = plan.located(probe, results[probe])
    return results


async def _select(
    plan: Plan, probes: Collection[Probe], seconds: float | None, line: int | None
) -> Callable[[Metric], Failure] | None:
    """Let a plan choose what these probes read; where that does not come in time, what it means for their metrics."""
    if plan.selects_at_once:
        plan.select(probes)
        return None
    try:
        await _thread(partial(plan.select, probes), seconds, line)
    except Crowded:
        return _unstarted
    except Late:
        return _late
    return None


def _now(work: Work) -> Measurement:
    started = perf_counter()
    try:
        measurement = as_measurement(work.run(), work.metric.kind)
    except Exception as error:  # noqa: BLE001 - a metric is foreign code: whatever it raises is a failure of its own
        measurement = _failure(work.metric, error)
    return _timed(measurement, started)


async def _some(group: Mapping[Probe, Work], seconds: float | None, line: int | None) -> dict[Probe, Measurement]:
    if len(group) == 1:
        return {probe: await _one(work, seconds, line) for probe, work in group.items()}
    measured: dict[Probe, Measurement] = {}

    def each() -> None:
        for probe, work in group.items():
            measured[probe] = _now(work)

    started, missing = perf_counter(), _late
    try:
        await _thread(each, seconds, line)
    except Crowded:
        missing = _unstarted
    except Late:
        for work in group.values():
            work.stop()
    return {probe: measured.get(probe) or _timed(missing(work.metric), started) for probe, work in group.items()}


async def _one(work: Work, seconds: float | None, line: int | None) -> Measurement:
    metric = work.metric
    started = perf_counter()
    try:
        result = work.run() if work.metric.waits else await _thread(work.run, seconds, line)
        if inspect.isawaitable(result):
            result = await within(None if seconds is None else seconds - (perf_counter() - started), result)
        measurement = as_measurement(result, metric.kind)
    except Crowded:
        measurement = _unstarted(metric)
    except Late:
        work.stop()
        measurement = _late(metric)
    except Exception as error:  # noqa: BLE001 - a metric is foreign code: whatever it raises is a failure of its own
        measurement = _failure(metric, error)
    return _timed(measurement, started)


async def _thread(function: Callable[[], T], seconds: float | None, line: int | None) -> T:
    # What dearer metrics have no time left for is late by the others' doing, however many threads are free.
    if seconds is not None and seconds <= 0:
        raise Late
    return await threads().run(function, seconds, line)


def _unstarted(metric: Metric) -> Failure:
    return Failure(f"no thread was free in time for {metric.name}", timed_out=True, unstarted=True)


def _late(metric: Metric) -> Failure:
    return Failure(f"{metric.name} was late", timed_out=True)


def _failure(metric: Metric, error: Exception) -> Failure:
    # The turn's text may stand in the message, so only the type is logged; the event carries the message, masked.
    log.warning("metric %s failed: %s", metric.name, type(error).__name__)
    return Failure(f"{type(error).__name__}: {error}"[:500])


def _timed(measurement: Measurement, started: float) -> Measurement:
    return replace(measurement, millis=(perf_counter() - started) * 1000, began=started)
