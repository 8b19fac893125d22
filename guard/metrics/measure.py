"""Measuring a stage: every measurement it needs, each once, concurrently, cheapest first, under one deadline."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import groupby
from time import perf_counter
from typing import TypeAlias

import anyio.to_thread
from anyio.lowlevel import RunVar

from guard.metrics.metric import Cost, Metric, as_measurement
from guard.metrics.score import Failure, Measurement, Measurements, Probe
from guard.metrics.turn import Side, Turn

log = logging.getLogger(__name__)

#: Up to this many characters, metrics that cost microseconds run on the loop: a hop to a thread would cost more.
INLINE_CHARACTERS = 4_000
#: … as long as they are in no more passages than this: an empty one costs its microseconds too.
INLINE_PASSAGES = 100
#: Threads that `def` metrics share. One that hangs keeps its thread; the others' callers then see "late", never "safe".
THREADS = 16


Needed: TypeAlias = Callable[[Measurements], Collection[Probe]]

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("guard.measure.limiter")


async def measure(
    probes: Collection[Probe],
    turn: Turn,
    metrics: Mapping[str, Metric],
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - lateness is a result here, not an exception
    needed: Needed | None = None,
) -> dict[Probe, Measurement]:
    """Measure `probes` on `turn`, within `timeout` seconds for all of them together.

    An exception becomes a Failure, lateness a Failure with `timed_out`. Metrics run by cost class, those of one class
    together; before a dearer class `needed(results so far)` says which probes can still matter, and the others are left
    out of the result. Without `needed` everything is measured. Raises nothing of a metric's own.
    """
    results: dict[Probe, Measurement] = {}
    deadline = None if timeout is None else perf_counter() + timeout
    ordered = sorted(set(probes), key=lambda probe: metrics[probe.metric].cost)
    sides: set[Side] = {probe.of for probe in ordered}
    passages = sum(len(turn.passages(side)) for side in sides)
    small = turn.characters <= INLINE_CHARACTERS and passages <= INLINE_PASSAGES
    for cost, group in groupby(ordered, key=lambda probe: metrics[probe.metric].cost):
        wanted = list(group)
        if needed is not None and cost > Cost.FREE and results:
            still = needed(results)
            wanted = [probe for probe in wanted if probe in still]
        waiting = []
        for probe in wanted:
            metric = metrics[probe.metric]
            if small and cost == Cost.FREE and not inspect.iscoroutinefunction(metric.measure):
                results[probe] = _now(metric, turn, probe.of)
            else:
                waiting.append(probe)
        if waiting:
            left = None if deadline is None else deadline - perf_counter()
            measured = await asyncio.gather(*(_one(metrics[probe.metric], turn, probe.of, left) for probe in waiting))
            results.update(zip(waiting, measured, strict=True))
    return results


def _now(metric: Metric, turn: Turn, side: Side) -> Measurement:
    started = perf_counter()
    try:
        measurement = as_measurement(metric.measure(turn, side), metric.kind)
    except Exception as error:  # noqa: BLE001 - a metric is foreign code: whatever it raises is a failure of its own
        measurement = _failure(metric, error)
    return _timed(measurement, started)


async def _one(metric: Metric, turn: Turn, side: Side, seconds: float | None) -> Measurement:
    started = perf_counter()
    try:
        async with asyncio.timeout(seconds):
            if inspect.iscoroutinefunction(metric.measure):
                result = await metric.measure(turn, side)
            else:
                # Abandoned, not awaited, when late: a thread cannot be stopped, and the turn must not wait for it.
                result = await anyio.to_thread.run_sync(
                    metric.measure, turn, side, abandon_on_cancel=True, limiter=_threads()
                )
                if inspect.isawaitable(result):
                    result = await result
        measurement = as_measurement(result, metric.kind)
    except TimeoutError as error:
        late = seconds is not None and perf_counter() - started >= seconds
        measurement = Failure(f"{metric.name} was late", timed_out=True) if late else _failure(metric, error)
    except Exception as error:  # noqa: BLE001 - a metric is foreign code: whatever it raises is a failure of its own
        measurement = _failure(metric, error)
    return _timed(measurement, started)


def _failure(metric: Metric, error: Exception) -> Failure:
    # The turn's text may stand in the message, so only the type is logged; the event carries the message, masked.
    log.warning("metric %s failed: %s", metric.name, type(error).__name__)
    return Failure(f"{type(error).__name__}: {error}"[:500])


def _timed(measurement: Measurement, started: float) -> Measurement:
    return replace(measurement, millis=(perf_counter() - started) * 1000)


def _threads() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(THREADS)
        _limiter.set(limiter)
        return limiter
