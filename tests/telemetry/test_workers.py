"""The figures of several workers, as one."""

import os
from contextlib import contextmanager

import pytest

from guard.telemetry.families import DECISIONS, IN_FLIGHT, POLICY_PROBLEM, REQUEST_SECONDS, REQUESTS
from guard.telemetry.tally import Names, Tally
from guard.telemetry.workers import Place, of_all

ONE = ("/v1/chat/completions", "200", "shop")


@contextmanager
def worker(folder, requests=0, in_flight=0):
    """A worker that has counted some."""
    tally = Tally()
    place = Place.take(folder, tally)
    for _ in range(requests):
        tally.add(REQUESTS, *ONE)
        tally.observe(REQUEST_SECONDS, 0.3, ONE[0])
    tally.add(IN_FLIGHT, amount=in_flight)
    place.write(tally.series())
    yield place, tally


def total(series, family):
    return sum(values[0] for values in series.get(family.name, {}).values())


def test_whoever_is_asked_tells_of_all(tmp_path):
    with worker(tmp_path, 2, 1) as (one, _), worker(tmp_path, 3, 2) as (two, tally):
        assert one.number != two.number
        tally.add(REQUESTS, *ONE)  # not yet written
        series = of_all(tmp_path, two, tally.series())
        assert total(series, REQUESTS) == 6
        assert total(series, IN_FLIGHT) == 3
        assert sum(series[REQUEST_SECONDS.name][ONE[:1]][:-1]) == 5
        assert series[REQUEST_SECONDS.name][ONE[:1]][-1] == pytest.approx(1.5)
        assert total(of_all(tmp_path), REQUESTS) == 5
        one.leave()
        two.leave()


def test_what_a_worker_counted_outlives_it_and_what_it_was_at_does_not(tmp_path):
    with worker(tmp_path, 2, 1) as (place, _):
        place.leave()
    assert total(of_all(tmp_path), REQUESTS) == 2
    assert total(of_all(tmp_path), IN_FLIGHT) == 0


def test_who_takes_a_dead_workers_place_goes_on_from_its_counts(tmp_path):
    with worker(tmp_path, 2, 1) as (place, _):
        place.leave()
    with worker(tmp_path, 1) as (again, _):
        assert again.number == place.number
        assert total(of_all(tmp_path), REQUESTS) == 3
        assert total(of_all(tmp_path), IN_FLIGHT) == 0
        again.leave()
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_a_worker_that_is_killed_loses_its_place(tmp_path):
    child = os.fork()
    if not child:  # it ends without leaving its place
        with worker(tmp_path, 2, 1):
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert total(of_all(tmp_path), REQUESTS) == 2
    assert total(of_all(tmp_path), IN_FLIGHT) == 0


def test_a_problem_that_every_worker_has_is_one_problem(tmp_path):
    places = []
    for _ in range(2):
        tally = Tally()
        places.append(Place.take(tmp_path, tally))
        tally.set(POLICY_PROBLEM, 1)
        places[-1].write(tally.series())
    assert total(of_all(tmp_path), POLICY_PROBLEM) == 1
    for place in places:
        place.leave()


@pytest.mark.parametrize("content", [b"", b"[[1]]", b"{}", b'[["guard_requests_total", "x", 1]]'])
def test_a_damaged_file_is_no_figure_and_no_error(tmp_path, content):
    (tmp_path / "7.json").write_bytes(content)
    with worker(tmp_path, 1) as (place, _):
        assert total(of_all(tmp_path), REQUESTS) == 1
        place.leave()


def test_a_value_is_counted_in_the_first_bucket_that_holds_it():
    tally = Tally()
    for seconds in (0.01, 0.011, 1000.0):
        tally.observe(REQUEST_SECONDS, seconds, "r")
    counts = tally.series()[REQUEST_SECONDS.name][("r",)][:-1]
    assert (counts[0], counts[1], counts[-1], sum(counts)) == (1, 1, 1, 3)


def test_counts_of_many_threads_are_all_there():
    from concurrent.futures import ThreadPoolExecutor

    tally = Tally()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [tally.add(DECISIONS, "a") for _ in range(500)], range(8)))
    assert tally.series()[DECISIONS.name][("a",)] == [4000]


def test_names_beyond_the_limit_are_other():
    names = Names(2)
    assert [names.of(name) for name in ("a", "b", "c", "a", "x" * 200, "")] == ["a", "b", "other", "a", "other", ""]
    assert Names(2).of("a", learn=False) == "other"
