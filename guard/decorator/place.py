"""A place in an object, and how what stands there is read and replaced without touching the object itself."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel

from guard.errors import SettingsError

Path: TypeAlias = tuple[str | int, ...]


def parse(written: str) -> Path:
    """The path that a dotted name means: `choices.0.message.content`."""
    return tuple(written.split("."))


def has(value: object, name: str) -> bool:
    """Whether an object has an attribute, or a mapping a key, of this name."""
    return name in value if isinstance(value, Mapping) else hasattr(value, name)


def get(value: Any, path: Path) -> Any:
    """What stands at a path of keys, attributes and places in a list. Raises SettingsError where there is nothing."""
    for name in path:
        try:
            if isinstance(value, Mapping):
                value = value[name]
            elif isinstance(value, (list, tuple)):
                value = value[int(name)]
            else:
                value = getattr(value, str(name))
        except (LookupError, AttributeError, ValueError):
            raise SettingsError(f"protect looks for '{name}' where there is none (in {described(value)})") from None
    return value


def put(value: Any, path: Path, new: object) -> Any:
    """A copy of the object with something else at the path. Raises SettingsError where it cannot be changed."""
    if not path:
        return new
    name = path[0]
    new = put(get(value, path[:1]), path[1:], new)
    if isinstance(value, Mapping):
        return {**value, name: new}
    if isinstance(value, (list, tuple)):
        items = [new if number == int(name) else item for number, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    try:
        if isinstance(value, BaseModel):
            return value.model_copy(update={str(name): new})
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.replace(value, **{str(name): new})
        other = copy.copy(value)
        setattr(other, str(name), new)
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(
            f"'{name}' of a {type(value).__name__} cannot be replaced by what a policy left of it ({error}); "
            "let the handler take and give strings, dicts, messages, dataclasses or pydantic models"
        ) from None
    return other


def described(value: object) -> str:
    """What an object is, and which texts are in it: for an error's fix."""
    fields = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    texts = [str(name) for name, field in fields.items() if isinstance(field, str) and not str(name).startswith("_")]
    return f"{type(value).__name__}, whose texts are: {', '.join(texts)}" if texts else type(value).__name__
