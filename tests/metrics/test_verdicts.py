"""Verdicts are kept by text, metric and version, and never take more than their room."""

import tracemalloc

from guard.metrics import Metric, Score, Span, Turn
from guard.metrics.verdicts import Verdicts


def metric(name="m", version="1"):
    return Metric(name, lambda turn, side: Score(0.0), version=version)


def test_a_verdict_is_that_of_its_text_metric_and_version():
    verdicts = Verdicts()
    verdicts.put(metric(), verdicts.digest("a"), Score(0.5))
    assert verdicts.get(metric(), verdicts.digest("a")) == Score(0.5)
    others = [(metric(), "b"), (metric("n"), "a"), (metric(version="2"), "a")]
    assert not any(verdicts.get(one, verdicts.digest(text)) for one, text in others)


def test_how_long_a_measurement_took_is_not_kept():
    verdicts = Verdicts()
    verdicts.put(metric(), b"key", Score(0.5, millis=3.0))
    assert verdicts.get(metric(), b"key").millis == 0.0


def test_two_processes_know_a_text_by_different_keys_unless_they_share_a_secret():
    assert Verdicts().digest("text") != Verdicts().digest("text")
    assert Verdicts(secret=b"s").digest("text") == Verdicts(secret=b"s").digest("text")
    assert Verdicts(secret=b"s").digest("text") != Verdicts(secret=b"t").digest("text")


def test_text_that_is_no_unicode_has_a_key_too():
    verdicts = Verdicts()
    assert verdicts.digest("\ud800") != verdicts.digest("\ud801")


def test_verdicts_stay_within_their_room_and_those_used_last_stay():
    verdicts = Verdicts(limit=20_000)
    verdicts.put(metric(), b"first", Score(0.5))
    for number in range(1000):
        verdicts.put(metric(), number.to_bytes(16), Score(0.5))
        assert verdicts.get(metric(), b"first")
        assert verdicts.held <= 20_000
    assert verdicts.get(metric(), (999).to_bytes(16))
    assert not verdicts.get(metric(), (1).to_bytes(16))


def test_one_verdict_that_takes_more_than_the_room_is_not_kept():
    verdicts = Verdicts(limit=10_000)
    verdicts.put(metric(), b"key", Score(0.5, spans=tuple(Span(n, n + 1, "x") for n in range(1000))))
    assert (verdicts.get(metric(), b"key"), verdicts.held) == (None, 0)


def test_verdicts_take_no_more_memory_than_they_say():
    tracemalloc.start()
    try:
        verdicts = Verdicts()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            by_label = {f"label {place}": number / 2000 for place in range(8)}
            spans = tuple(Span(number, number + place, f"label {place}", number / 3000) for place in range(number % 4))
            verdicts.put(metric(), number.to_bytes(16), Score(number / 2000, ("one",), spans, by_label=by_label))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= verdicts.held


def test_nothing_is_kept_of_the_text_itself():
    verdicts = Verdicts()
    verdicts.put(metric(), verdicts.digest("my secret"), metric().measure(Turn.of("my secret"), "input"))
    assert b"secret" not in repr(vars(verdicts._kept)).encode()
