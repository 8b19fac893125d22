"""The threads that metrics share: a bounded number, a bounded line, and what never began is told from what is late."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from guard.metrics import Cost, Failure, Metric, Probe, Score, Turn
from guard.metrics import measure as measuring
from guard.metrics.measure import measure
from guard.metrics.plan import SELECTED_INLINE
from guard.metrics.selector import Selector
from guard.metrics.threads import Crowded, Late, Threads
from tests.fakes import until

SAID = ContextVar("SAID", default="nothing")


class Held:
    """A function that says when it was begun, and does not end before it may."""

    def __init__(self):
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self):
        self.begun.set()
        assert self.may_end.wait(60)
        return "done"


@pytest.fixture
def held():
    made = Held()
    yield made
    made.may_end.set()


async def busy_by(held):
    """One thread, taken by what is held, for which nobody waits any longer."""
    pool = Threads(1)
    task = asyncio.create_task(pool.run(held))
    await asyncio.to_thread(held.begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return pool


async def test_a_function_gives_its_result_or_its_error_with_the_context_of_its_caller():
    pool = Threads(2)
    SAID.set("hello")
    assert await pool.run(SAID.get) == "hello"
    with pytest.raises(KeyError, match="weights"):
        await pool.run(lambda: {}["weights"])


async def test_there_are_never_more_threads_than_may_be_and_no_more_than_needed():
    pool = Threads(3)
    used = set()
    for _ in range(5):
        used.add(await pool.run(threading.get_ident))
    assert len(used) == 1
    used.update(await asyncio.gather(*(pool.run(threading.get_ident) for _ in range(50))))
    assert len(used) <= 3


async def test_one_that_hangs_keeps_its_thread_and_what_never_began_says_so_and_never_runs(held):
    pool, ran = await busy_by(held), []
    with pytest.raises(Crowded):
        await pool.run(lambda: ran.append("late"), 0.01)
    assert pool.waiting == 0
    held.may_end.set()
    await pool.run(lambda: ran.append("then"))
    assert ran == ["then"]


async def test_what_was_begun_and_is_late_is_a_timeout_and_not_for_want_of_a_thread(held):
    with pytest.raises(Late):
        await Threads(1).run(held, 0.5)


async def test_a_full_line_refuses_at_once(held):
    pool = await busy_by(held)
    waiting = [asyncio.create_task(pool.run(lambda: "mine", line=2)) for _ in range(2)]
    await until(lambda: pool.waiting == 2)
    with pytest.raises(Crowded, match="2 others"):
        await pool.run(lambda: "mine", line=2)
    patient = asyncio.create_task(pool.run(lambda: "mine"))
    held.may_end.set()
    assert await asyncio.gather(*waiting, patient) == ["mine"] * 3


async def test_those_that_wait_are_served_in_their_order(held):
    pool, order = await busy_by(held), []
    tasks = [asyncio.create_task(pool.run(lambda number=number: order.append(number))) for number in range(20)]
    await until(lambda: pool.waiting == 20)
    held.may_end.set()
    await asyncio.gather(*tasks)
    assert order == list(range(20))


@pytest.mark.parametrize("shared", ["", "one reading"])
@pytest.mark.parametrize(("line", "seconds"), [(0, None), (64, 0.01)])
async def test_a_measurement_that_no_thread_was_free_for_is_a_failure_that_says_so(
    held, monkeypatch, shared, line, seconds
):
    pool = await busy_by(held)
    monkeypatch.setattr(measuring, "threads", lambda: pool)
    metrics = {name: Metric(name, lambda turn, side: Score(0.0), cost=Cost.MODEL, shared=shared) for name in "ab"}
    probes = [Probe(name, "input") for name in metrics]
    found = await measure(probes, Turn.of("hello"), metrics, timeout=seconds, line=line)
    assert [(one.unstarted, one.timed_out) for one in found.values()] == [(True, True)] * 2


async def test_a_choice_of_texts_that_no_thread_was_free_for_is_told_from_a_late_one(held, monkeypatch):
    pool = await busy_by(held)
    monkeypatch.setattr(measuring, "threads", lambda: pool)
    metric = Metric("a", lambda turn, side: Score(0.0))
    probe = Probe("a", "retrieval", Selector(path="$.text"))
    long = Turn.of('{"text": "hello"}' + " " * SELECTED_INLINE, "retrieval")
    found = await measure([probe], long, {"a": metric}, line=0)
    assert found[probe] == Failure("no thread was free in time for a", timed_out=True, unstarted=True)


async def test_what_dearer_metrics_have_no_time_left_for_is_late_and_not_for_want_of_a_thread():
    async def sleeps(turn, side):
        await asyncio.sleep(60)
        return Score(0.0)

    slow = Metric("slow", sleeps, cost=Cost.LOCAL)
    dear = Metric("dear", lambda turn, side: Score(0.0), cost=Cost.REMOTE)
    probes = [Probe("slow", "input"), Probe("dear", "input")]
    found = await measure(probes, Turn.of("hello"), {"slow": slow, "dear": dear}, timeout=0.05)
    assert [(one.timed_out, one.unstarted) for one in found.values()] == [(True, False)] * 2
