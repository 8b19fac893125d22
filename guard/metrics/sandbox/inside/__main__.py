"""The program that runs somebody's function: shuts itself in, loads the code, and answers calls until it is ended.

It talks over the descriptor in its first argument, in frames (four bytes of length, JSON): what the code prints goes
nowhere.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import types
from types import SimpleNamespace
from typing import Any

from .walls import raise_walls

#: Characters of an error that are told.
_TOLD = 500


def main() -> None:
    """Load, then answer; ends with whoever it talks to."""
    wire = os.fdopen(int(sys.argv[1]), "r+b", buffering=0)
    asked = _read(wire)
    walls = raise_walls(memory=asked["memory"], cpu=asked["cpu"], readable=asked["packages"])
    del sys.path[0]  # what this program itself was found by
    missing = [f"{wall} ({walls[wall]})" for wall in asked["walls"] if walls[wall]]
    if missing:
        _write(wire, {"walls": walls, "error": "not run, since walls do not stand here: " + ", ".join(missing)})
        return
    try:
        function, module = _load(asked)
        described = _described(function, module)
    except BaseException as error:  # noqa: BLE001 - foreign code
        _write(wire, {"walls": walls, "error": _told(error)})
        return
    _write(wire, {"walls": walls, **described})
    while True:
        call = _read(wire)
        try:
            answer = {"value": _plain(_called(function, call))}
        except BaseException as error:  # noqa: BLE001 - foreign code, which may also want to exit
            answer = {"error": _told(error), "last": isinstance(error, MemoryError)}
        _write(wire, {"id": call["id"], **answer})
        if answer.get("last"):
            return  # what is left of the memory may not do for another call


def _load(asked: dict[str, Any]) -> tuple[Any, types.ModuleType]:
    import site

    for folder in asked["packages"]:
        site.addsitedir(folder)
    module = types.ModuleType("metric")
    sys.modules["metric"] = module
    exec(compile(asked["code"], "metric.py", "exec"), module.__dict__)  # noqa: S102 - it is what this process is for
    function = getattr(module, asked["function"], None)
    if not callable(function):
        raise LookupError(f"the code defines no function '{asked['function']}'")
    return function, module


def _described(function: Any, module: types.ModuleType) -> dict[str, Any]:
    """What the other side needs to see of the function: its parameters, and the type that `score_type` names."""
    parameters = [
        [one.name, one.kind.name, one.default is not one.empty]
        for one in inspect.signature(function).parameters.values()
    ]
    score_type = getattr(module, "score_type", None)
    given = score_type() if callable(score_type) else None
    return {"parameters": parameters, "gives": getattr(given, "__name__", given and str(given))}


def _called(function: Any, call: dict[str, Any]) -> Any:
    arguments = [_turn(one["turn"]) if isinstance(one, dict) else one for one in call["arguments"]]
    value = function(*arguments, **call["named"])
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def _turn(fields: dict[str, Any]) -> Any:
    turn = SimpleNamespace(**fields)
    turn.messages = [SimpleNamespace(**message) for message in fields["messages"]]
    turn.tool_calls = [SimpleNamespace(**made) for made in fields["tool_calls"]]
    turn.passages = lambda side: fields["sides"].get(side, [])
    return turn


def _plain(value: Any) -> Any:
    """The value as JSON has it; what a metric cannot give is told by its type, for the other side to refuse."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(label, str) for label in value):
        return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    item = getattr(value, "item", None)
    if callable(item) and isinstance(number := item(), (bool, int, float)):
        return number  # numpy's numbers
    raise TypeError(f"a metric gives a number, a string or a list of strings, not {type(value).__name__}")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_TOLD]


def _read(wire: Any) -> Any:
    return json.loads(_exactly(wire, int.from_bytes(_exactly(wire, 4), "big")))


def _exactly(wire: Any, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = wire.read(size - len(found))
        if not more:
            os._exit(0)  # nobody listens any more
        found += more
    return found


def _write(wire: Any, answer: dict[str, Any]) -> None:
    content = json.dumps(answer).encode()
    left = len(content).to_bytes(4, "big") + content
    while left:
        left = left[wire.write(left) :]


main()
