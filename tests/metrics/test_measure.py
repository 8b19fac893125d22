"""Measuring: each once, together, cheapest first, under one deadline, and no error that reads as safe."""

import asyncio
import threading
import time
from fractions import Fraction

import pytest

from guard.metrics import Cost, Failure, Message, Metric, Probe, Score, Turn
from guard.metrics.measure import measure
from guard.metrics.plan import INLINE_CHARACTERS
from guard.metrics.verdicts import Verdicts

TURN = Turn.of("hello")


def probe(name, of="input"):
    return Probe(name, of)


def registry(*metrics):
    return {metric.name: metric for metric in metrics}


def counting(name, calls, cost=Cost.FREE, value=1.0):
    def read(turn, side):
        calls.append(name)
        return Score(value)

    return Metric(name, read, cost=cost)


async def test_a_metric_that_several_rules_ask_for_is_measured_once():
    calls = []
    measured = await measure([probe("a"), probe("a")], TURN, registry(counting("a", calls)))
    assert calls == ["a"]
    assert measured[probe("a")].value == 1.0


async def test_one_metric_of_two_sides_gives_two_results():
    seen = Metric("seen", lambda turn, side: Score(float(len(turn.passages(side)))))
    turn = Turn(messages=TURN.messages, output=("a", "b"))
    measured = await measure([probe("seen"), probe("seen", "output")], turn, registry(seen))
    assert [measured[probe("seen", side)].value for side in ("input", "output")] == [1.0, 2.0]


async def test_an_exception_becomes_a_failure_that_names_it():
    def broken(turn, side):
        raise KeyError("weights")

    async def broken_too(turn, side):
        raise TimeoutError("its own")

    found = await measure(
        [probe("a"), probe("b")],
        TURN,
        registry(Metric("a", broken), Metric("b", broken_too, cost=Cost.REMOTE)),
        timeout=5,
    )
    assert found[probe("a")].error == "KeyError: 'weights'"
    assert found[probe("b")] == Failure("TimeoutError: its own", found[probe("b")].millis, timed_out=False)


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_metric_that_is_late_is_a_failure_that_says_so_and_holds_up_nobody(kind):
    release = threading.Event()

    async def sleeps(turn, side):
        await asyncio.sleep(60)
        return Score(0.0)

    def hangs(turn, side):
        release.wait(60)
        return Score(0.0)

    metric = Metric("slow", sleeps if kind == "async" else hangs, cost=Cost.MODEL)
    quick = Metric("quick", lambda turn, side: Score(0.5))
    started = time.perf_counter()
    found = await measure([probe("slow"), probe("quick")], TURN, registry(metric, quick), timeout=0.05)
    release.set()
    assert time.perf_counter() - started < 30
    assert found[probe("slow")].timed_out
    assert found[probe("quick")].value == 0.5


async def test_metrics_of_one_cost_run_together():
    met = asyncio.Barrier(2)

    async def meets(turn, side):
        await met.wait()
        return Score(1.0)

    metrics = registry(Metric("a", meets, cost=Cost.REMOTE), Metric("b", meets, cost=Cost.REMOTE))
    found = await measure([probe("a"), probe("b")], TURN, metrics, timeout=10)
    assert all(isinstance(measurement, Score) for measurement in found.values())


def sharing(name, read):
    return Metric(name, read, cost=Cost.MODEL, shared="one reading")


async def test_metrics_that_share_work_measure_a_side_in_one_thread():
    where = [sharing(name, lambda turn, side: Score(float(threading.get_ident()))) for name in "ab"]
    found = await measure([probe("a"), probe("b")], TURN, registry(*where))
    assert found[probe("a")].value == found[probe("b")].value != float(threading.get_ident())


async def test_one_that_fails_leaves_the_others_that_share_its_work_alone():
    def broken(turn, side):
        raise KeyError("weights")

    metrics = registry(sharing("a", broken), sharing("b", lambda turn, side: Score(0.5)))
    found = await measure([probe("a"), probe("b")], TURN, metrics, timeout=5)
    assert found[probe("a")].error == "KeyError: 'weights'"
    assert found[probe("b")].value == 0.5


async def test_of_metrics_that_share_work_those_measured_in_time_count_and_the_rest_are_late():
    release = threading.Event()

    def hangs(turn, side):
        release.wait(60)
        return Score(0.0)

    metrics = registry(sharing("a", lambda turn, side: Score(0.5)), sharing("b", hangs), sharing("c", hangs))
    found = await measure([probe("a"), probe("b"), probe("c")], TURN, metrics, timeout=0.2)
    release.set()
    assert found[probe("b")].timed_out
    assert found[probe("c")].error == "c was late"
    assert found[probe("a")].value == 0.5


async def test_a_function_that_is_not_free_runs_in_a_thread():
    where = Metric("where", lambda turn, side: Score(float(threading.get_ident())), cost=Cost.LOCAL)
    found = await measure([probe("where")], TURN, registry(where))
    assert found[probe("where")].value != float(threading.get_ident())


async def test_even_a_free_metric_reads_a_long_text_in_a_thread():
    where = Metric("where", lambda turn, side: Score(float(threading.get_ident())), cost=Cost.FREE)
    found = await measure([probe("where")], Turn.of("x" * (INLINE_CHARACTERS + 1)), registry(where))
    assert found[probe("where")].value != float(threading.get_ident())


async def test_even_a_free_metric_reads_very_many_passages_in_a_thread():
    where = Metric("where", lambda turn, side: Score(float(threading.get_ident())), cost=Cost.FREE)
    found = await measure([probe("where")], Turn(messages=(Message("user", ("",) * 1_000),)), registry(where))
    assert found[probe("where")].value != float(threading.get_ident())


async def test_cheap_metrics_run_first_and_a_dear_one_only_while_it_is_needed():
    calls = []
    metrics = registry(
        counting("dear", calls, Cost.REMOTE), counting("cheap", calls), counting("local", calls, Cost.MODEL)
    )
    probes = [probe("dear"), probe("local"), probe("cheap")]
    found = await measure(probes, TURN, metrics, needed=lambda known: {probe("dear")} if known else set(probes))
    assert calls == ["cheap", "dear"]
    assert probe("local") not in found


async def test_without_a_say_in_what_is_needed_everything_is_measured():
    calls = []
    metrics = registry(counting("dear", calls, Cost.REMOTE), counting("cheap", calls))
    found = await measure([probe("dear"), probe("cheap")], TURN, metrics)
    assert set(found) == {probe("dear"), probe("cheap")}


@pytest.mark.parametrize("value", [None, object(), {"a": 1}, [1, 2], float("nan"), Score(float("inf"))])
async def test_what_is_no_score_is_a_failure(value):
    found = await measure([probe("odd")], TURN, registry(Metric("odd", lambda turn, side: value)))
    assert isinstance(found[probe("odd")], Failure)


@pytest.mark.parametrize(
    ("value", "expected", "kind"),
    [
        (True, 1.0, "number"),
        (3, 3.0, "number"),
        ("fr", "fr", "label"),
        (["b", "a"], ("b", "a"), "labels"),
        ({"b", "a"}, ("a", "b"), "labels"),
    ],
)
async def test_plain_values_of_a_users_function_are_scores(value, expected, kind):
    found = await measure([probe("own")], TURN, registry(Metric("own", lambda turn, side: value, kind=kind)))
    assert found[probe("own")].value == expected


@pytest.mark.parametrize("cost", [Cost.FREE, Cost.LOCAL])
@pytest.mark.parametrize("value", [None, "high", ("a",), ["a"], Fraction(99, 100)])
async def test_a_score_that_is_not_of_its_metrics_kind_fails_rather_than_passes(value, cost):
    own = Metric("own", lambda turn, side: Score(value), cost=cost)
    found = await measure([probe("own")], TURN, registry(own))
    assert isinstance(found[probe("own")], Failure)


async def test_a_callable_object_that_gives_an_awaitable_is_awaited():
    class Judge:
        def __call__(self, turn, side):
            return self.later()

        async def later(self):
            return Score(0.25)

    found = await measure([probe("judge")], TURN, registry(Metric("judge", Judge(), cost=Cost.LOCAL)))
    assert found[probe("judge")].value == 0.25


async def test_a_windowed_metric_that_is_awaited_reads_the_side_whole():
    async def read(turn, side):
        return Score(float(len(turn.passages(side))))

    own = Metric("own", read, version="1", windowed=True)
    turn = Turn(messages=(*TURN.messages, *TURN.messages))
    found = await measure([probe("own")], turn, registry(own), verdicts=Verdicts())
    assert found[probe("own")].value == 2.0
