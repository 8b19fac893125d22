"""Values kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """At most `limit` bytes of values by key, those used last. Safe to share among threads."""

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        """`size` tells the bytes of a value, and of what keeping it takes beside it."""
        self._limit = limit
        self._size = size
        self._lock = Lock()
        self._values: OrderedDict[bytes, T] = OrderedDict()
        self.held = 0

    def get(self, key: bytes) -> T | None:
        """The value of a key, None where it is not kept."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: bytes, value: T) -> None:
        """Keep a value, and let go of those not used for longest where the room ends."""
        with self._lock:
            before = self._values.pop(key, None)
            if before is not None:
                self.held -= self._size(before)
            self._values[key] = value
            self.held += self._size(value)
            while self.held > self._limit:
                self.held -= self._size(self._values.popitem(last=False)[1])
