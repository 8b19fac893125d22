"""Values that several threads want: made once, kept while there is room, and no error kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from guard.metrics.encoder.shared import Shared


def store(limit: int = 100) -> Shared[bytes]:
    return Shared(limit, len)


def test_a_value_is_made_once() -> None:
    kept, made = store(), []
    for _ in range(3):
        assert kept.get(b"a", lambda: made.append("a") or b"value") == b"value"
    assert made == ["a"]


def test_who_asks_while_a_value_is_made_waits_for_that_one() -> None:
    kept, made = store(), []
    begun, go_on = threading.Event(), threading.Event()

    def make() -> bytes:
        made.append("a")
        begun.set()
        assert go_on.wait(10)
        return b"value"

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(kept.get, b"a", make)
        assert begun.wait(10)
        others = [pool.submit(kept.get, b"a", make) for _ in range(3)]
        assert kept.get(b"b", lambda: b"other") == b"other"
        go_on.set()
        assert {one.result(10) for one in (first, *others)} == {b"value"}
    assert made == ["a"]


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    kept = store()
    begun, go_on = threading.Event(), threading.Event()

    def fail() -> bytes:
        begun.set()
        assert go_on.wait(10)
        raise KeyError("broken")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.get, b"a", fail)
        assert begun.wait(10)
        second = pool.submit(kept.get, b"a", fail)
        go_on.set()
        for one in (first, second):
            with pytest.raises(KeyError):
                one.result(10)
    assert kept.get(b"a", lambda: b"mended") == b"mended"


def test_what_was_used_longest_ago_goes_when_there_is_no_room() -> None:
    kept, made = store(limit=10), []

    def get(key: bytes, size: int = 4) -> None:
        kept.get(key, lambda: made.append(key) or bytes(size))

    for key in (b"a", b"b", b"a", b"c"):
        get(key)
    made.clear()
    for key in (b"a", b"c", b"b"):
        get(key)
    assert made == [b"b"]


def test_what_is_larger_than_all_the_room_is_given_but_not_kept() -> None:
    kept, made = store(limit=10), []
    for _ in range(2):
        assert len(kept.get(b"a", lambda: made.append("a") or bytes(11))) == 11
    assert made == ["a", "a"]
