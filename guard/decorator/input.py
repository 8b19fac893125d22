"""What a handler takes: where its text is among the arguments, and how a changed one gets there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from guard.decorator.place import Path, described, get, parse, put
from guard.decorator.shapes import is_message, read_messages, write_messages
from guard.errors import SettingsError
from guard.metrics import Turn

_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Input:
    """A handler's input. `found` is a parameter, a path into one, or a function of the arguments that gives the text.

    A path that begins with no parameter's name is one into the first parameter. Raises SettingsError where the handler
    has no parameter.
    """

    def __init__(self, handler: Callable[..., Any], name: str, found: str | Callable[..., Any] | None) -> None:
        self.name = name
        self.find = found if callable(found) else None
        self.signature = inspect.signature(handler)
        path = parse(found) if isinstance(found, str) else ()
        self.parameter, self.path = ("", path) if self.find else self._place(path)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments by parameter. Raises TypeError as the call itself would."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def read(self, bound: inspect.BoundArguments, labels: Mapping[str, str]) -> Turn:
        """The turn that the arguments ask for. Raises SettingsError where they hold neither text nor messages."""
        value = self._value(bound)
        if value is None:
            return Turn(labels=labels)
        if isinstance(value, str):
            return Turn.of(value, "input", **labels)
        return read_messages(self._messages(value), labels)

    def write(self, bound: inspect.BoundArguments, before: Turn, after: Turn) -> None:
        """Put the texts of `after` among the arguments; the objects that came are left as they are."""
        if after.messages == before.messages:
            return
        if self.find:
            raise SettingsError(
                f"a policy redacted the input of {self.name}(), and a function cannot say where to put what is left; "
                "name the place, as in input='request.question'"
            )
        value = self._value(bound)
        if isinstance(value, str):
            new: Any = after.messages[0].parts[0]
        else:
            written = write_messages(self._messages(value), after)
            new = written[0] if is_message(value) else written
        bound.arguments[self.parameter] = put(bound.arguments[self.parameter], self.path, new)

    def _value(self, bound: inspect.BoundArguments) -> Any:
        if self.find:
            return self.find(*bound.args, **bound.kwargs)
        return get(bound.arguments[self.parameter], self.path)

    def _messages(self, value: Any) -> list[Any]:
        messages = [value] if is_message(value) else value
        if isinstance(messages, (list, tuple)) and all(map(is_message, messages)):
            return list(messages)
        raise SettingsError(
            f"what {self.name}() is called with is neither text nor messages ({described(value)}); "
            "say where the text is, as in protect(..., input='request.question')"
        )

    def _place(self, path: Path) -> tuple[str, Path]:
        named = [name for name, parameter in self.signature.parameters.items() if parameter.kind not in _OPEN]
        if named and named[0] in ("self", "cls"):
            del named[0]
        if not named:
            raise SettingsError(
                f"{self.name}() names no parameter that could hold a text; "
                "give protect a function of the arguments that finds it: input=lambda *args, **kwargs: ..."
            )
        return (str(path[0]), path[1:]) if path and path[0] in named else (named[0], path)
