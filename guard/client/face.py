"""One body for code that awaits and for code that cannot: each method is a coroutine function, shown in two ways."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from guard.loop import run

P = ParamSpec("P")
T = TypeVar("T")


class Waits:
    """Marks a face whose methods return results."""


class Awaited:
    """Marks a face whose methods return coroutines."""


F = TypeVar("F", Waits, Awaited)
_F = TypeVar("_F", Waits, Awaited, covariant=True)


class Faced(Protocol[_F]):
    """Whatever has methods with two faces: `waits` says which."""

    @property
    def face(self) -> type[_F]:
        """Which of the two."""
        ...


class Method(Generic[P, T]):
    """A method written as a coroutine function: with `Waits` its result is waited for, on Guard's own loop.

    Guard's own, so that it works where a loop runs already, as in a notebook.
    """

    def __init__(self, body: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._body = body
        self.__doc__ = body.__doc__

    @overload
    def __get__(self, owner: None, kind: Any) -> Method[P, T]: ...
    @overload
    def __get__(self, owner: Faced[Waits], kind: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, owner: Faced[Awaited], kind: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """The method of an object."""
        if owner is None:
            return self
        coroutine = MethodType(self._body, owner)
        if owner.face is Awaited:
            return coroutine

        @wraps(coroutine)
        def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
            return run(coroutine(*args, **kwargs))

        return waiting
