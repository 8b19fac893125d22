"""Somebody who is told how long work goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class Watch(Protocol):
    """Told how a run goes: the terminal, or a test."""

    def task(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A piece of work of `total` steps; gives what is told how many more steps were done."""
        ...

    def say(self, line: str) -> None:
        """One line about something done."""
        ...
