"""Values that several threads want, each made once and kept while there is room."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from guard.metrics.kept import Kept

T = TypeVar("T")


class Shared(Generic[T]):
    """At most `limit` bytes of values by key, those used last. Safe to share among threads."""

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        """`size` tells the bytes of a value."""
        self._kept = Kept(limit, size)
        self._lock = Lock()
        self._coming: dict[bytes, Future[T]] = {}

    def get(self, key: bytes, make: Callable[[], T]) -> T:
        """The value of a key. Who asks for one that is being made waits for it, and gets its error where it fails.

        An error is not kept: the next one who asks makes the value anew.
        """
        mine = Future[T]()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                return kept
            coming = self._coming.setdefault(key, mine)
        if coming is not mine:
            return coming.result()
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._coming[key]
            self._kept.put(key, value)
        mine.set_result(value)
        return value
