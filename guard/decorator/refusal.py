"""What a handler would have returned, had it said what the policy says instead."""

from __future__ import annotations

import inspect
import typing
from collections import abc
from collections.abc import Callable, Mapping
from time import time
from types import NoneType, UnionType
from typing import Any
from uuid import uuid4

from guard.decorator.place import Path
from guard.errors import SettingsError

_STREAMS = (abc.Iterator, abc.Iterable, abc.Generator, abc.AsyncIterator, abc.AsyncIterable, abc.AsyncGenerator)


def annotated(handler: Callable[..., Any]) -> Any:
    """What a handler says that it returns, or yields; None where it says nothing that can be understood."""
    try:
        kind = typing.get_type_hints(inspect.unwrap(handler)).get("return")
    except (NameError, TypeError, AttributeError):
        return None
    return typing.get_args(kind)[0] if typing.get_origin(kind) in _STREAMS and typing.get_args(kind) else kind


def built(kind: Any, path: Path, text: str) -> Any:
    """An answer of this kind that says `text`, at a path where there is one; of a kind that is not known, a string.

    Raises SettingsError where none can be made.
    """
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return built(typing.get_args(kind)[0], path, text)
    if origin in (typing.Union, UnionType):
        return _first(typing.get_args(kind), path, text)
    known = origin or kind
    if known in (None, Any, object, str) or (path and inspect.isclass(known) and issubclass(known, Mapping)):
        return _nested(path, text)
    try:
        return _made(known, path, text)
    except (TypeError, ValueError, AttributeError) as error:
        raise _unbuildable(kind, error) from None


def _made(kind: Any, path: Path, text: str) -> Any:
    if path:
        return kind(**_nested(path, text))
    fields = getattr(kind, "model_fields", None) or getattr(kind, "__annotations__", {})
    if "choices" in fields:
        return kind.model_validate(_completion(kind.__name__, text))
    if "content" in fields:
        return kind(content=text, **({"role": "assistant"} if "role" in fields else {}))
    raise TypeError("it is no string, message or completion")


def _first(kinds: tuple[Any, ...], path: Path, text: str) -> Any:
    """An answer of the first of these kinds that one can be made of."""
    problems: list[SettingsError] = []
    for kind in kinds:
        try:
            if kind is not NoneType:
                return built(kind, path, text)
        except SettingsError as error:
            problems.append(error)
    raise problems[0]


def _nested(path: Path, text: str) -> Any:
    for name in reversed(path):
        text = {name: text}  # type: ignore[assignment] - the text is the innermost of them
    return text


def _completion(kind: str, text: str) -> dict[str, Any]:
    where, name = ("delta", "chat.completion.chunk") if "Chunk" in kind else ("message", "chat.completion")
    choice = {"index": 0, where: {"role": "assistant", "content": text}, "finish_reason": "content_filter"}
    head = {"id": f"chatcmpl-guard-{uuid4().hex[:24]}", "object": name, "created": int(time()), "model": ""}
    return {**head, "choices": [choice]}


def _unbuildable(kind: Any, why: object) -> SettingsError:
    return SettingsError(
        f"the policy's answer cannot be made into a {getattr(kind, '__name__', kind)}: {why}; give protect "
        "on_block='raise', or a function that makes it: on_block=lambda verdict: ..."
    )
