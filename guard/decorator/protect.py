"""`@protect`: four faces, for sync and async handlers that return or yield, of one body."""

from __future__ import annotations

import inspect
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from functools import wraps
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from guard.decorator.call import Call, OnBlock
from guard.decorator.input import Input
from guard.decorator.output import Output
from guard.errors import SettingsError
from guard.guard import Guard
from guard.listeners import Policies
from guard.loop import run
from guard.policies import load_policies, load_policy

Handler = TypeVar("Handler", bound=Callable[..., Any])
Begin: TypeAlias = Callable[[tuple[Any, ...], dict[str, Any]], Call]


def protect(
    policy: str | Path | Policies | Guard,
    *,
    input: str | Callable[..., Any] | None = None,  # noqa: A002 - what it is called everywhere else
    output: str | Callable[[Any], Any] | None = None,
    app: str = "",
    on_block: OnBlock = "answer",
) -> Callable[[Handler], Handler]:
    """Put a policy around a chat handler: a function, method, coroutine, generator or async generator.

    `policy` is a file, a folder of them, a built-in name, a loaded policy, or a Guard, whose recorder then gets the
    events. `input` says where the text or the messages come in: a parameter, a dotted path into one, as in
    `request.question`, or a function of the arguments; by default it is the first parameter. `output` says where the
    text goes out: a dotted path into what is returned or yielded, or a function of it; by default what is returned is a
    string, a message or a completion. `app` is whose calls these are.

    What is blocked is answered in the handler's own shape (`answer`), raises Blocked (`raise`), or becomes what a
    function makes of the verdict. The handler is not called when its input is blocked, gets what a redaction left of
    it, and its exceptions pass through.

    Raises PolicyError where the policy cannot be used, SettingsError where text cannot be found or replaced.
    """
    guard = _guard(policy)
    if on_block not in ("answer", "raise") and not callable(on_block):
        raise SettingsError(f"on_block is no {on_block!r}; give 'answer', 'raise' or a function of the verdict")

    def decorate(handler: Handler) -> Handler:
        name = getattr(handler, "__qualname__", type(handler).__name__)
        taken, given = Input(handler, name, input), Output(handler, name, output)

        def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
            return Call(guard.exchange(app=app), taken, given, on_block, args, kwargs)

        return wraps(handler)(_face(handler, begin))  # type: ignore[return-value] - it takes and gives the same

    return decorate


def _guard(policy: Any) -> Guard:
    if isinstance(policy, Guard):
        return policy
    if isinstance(policy, (str, Path)):
        return Guard(load_policies(policy) if Path(policy).is_dir() else load_policy(policy))
    if hasattr(policy, "select"):
        return Guard(policy)
    raise SettingsError(f"a {type(policy).__name__} is no policy; write @guard.protect(policy='builtin/baseline')")


def _face(handler: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    """The function that takes the handler's place, of the same kind: frameworks ask which it is."""
    yields = inspect.isasyncgenfunction(handler) or inspect.isgeneratorfunction(handler)
    return _streamed(handler, begin) if yields else _whole(handler, begin)


def _whole(handler: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        if not await call.enter():
            return call.instead()
        return await call.leave(await handler(*call.args, **call.kwargs))

    def function(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        if not run(call.enter()):
            return call.instead()
        return run(call.leave(handler(*call.args, **call.kwargs)))

    return coroutine if inspect.iscoroutinefunction(handler) else function


def _streamed(handler: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        call = begin(args, kwargs)
        if not await call.enter():
            yield call.instead()
            return
        async with aclosing(handler(*call.args, **call.kwargs)) as chunks:
            try:
                async for chunk in chunks:
                    for leaving in await call.take(chunk):
                        yield leaving
                    if call.blocked is not None:
                        break
            except Exception:
                # What came before the handler broke off is the caller's.
                for leaving in await call.finish():
                    yield leaving
                raise
            except (GeneratorExit, CancelledError):
                call.abandon()
                raise
        for leaving in await call.finish():
            yield leaving

    def generator(*args: Any, **kwargs: Any) -> Generator[Any]:
        call = begin(args, kwargs)
        if not run(call.enter()):
            yield call.instead()
            return
        with closing(handler(*call.args, **call.kwargs)) as chunks:
            try:
                for chunk in chunks:
                    yield from run(call.take(chunk))
                    if call.blocked is not None:
                        break
            except Exception:
                yield from run(call.finish())
                raise
            except GeneratorExit:
                call.abandon()
                raise
        yield from run(call.finish())

    return async_generator if inspect.isasyncgenfunction(handler) else generator
