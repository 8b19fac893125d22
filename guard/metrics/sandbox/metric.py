"""A function in a sandbox as a metric like any other."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

from guard.errors import MetricError
from guard.metrics.function import of_function
from guard.metrics.metric import Kind, Metric
from guard.metrics.sandbox.process import Described, Sandbox, SandboxError
from guard.metrics.score import Failure
from guard.metrics.turn import SIDES, Side, Turn

#: What `score_type` of Galileo's custom metrics gives → the kind of a score.
_KINDS: dict[str, Kind] = {"float": "number", "int": "number", "bool": "number", "str": "label", "list": "labels"}
_NONE = inspect.Parameter.empty


def sandboxed(
    name: str,
    sandbox: Sandbox,
    described: Described,
    *,
    version: str,
    kind: Kind = "number",
    sides: Collection[Side] = SIDES,
    labels: Collection[str] | None = None,
) -> Metric:
    """The metric that the sandbox's function measures: in any form that `of_function` takes, which says it all.

    What goes wrong in there is a failure. Raises MetricError where the function takes other arguments, or its
    `score_type` is of another kind.
    """
    if described.gives is not None and (known := _KINDS.get(described.gives)) != kind:
        fix = f"its kind is '{known}'" if known else f"give one of {', '.join(_KINDS)}"
        raise MetricError(f"metric '{name}': score_type() is {described.gives}, and its kind '{kind}'; {fix}")

    async def ask(*arguments: Any, **named: Any) -> Any:
        try:
            plain = [_plain(one) if isinstance(one, Turn) else one for one in arguments]
            return await sandbox.call(plain, named)
        except SandboxError as error:
            return Failure(str(error), timed_out=error.late)

    ask.__signature__ = _signature(described)  # type: ignore[attr-defined] - inspect reads it
    return of_function(ask, name, kind=kind, sides=sides, labels=labels, version=version)


def _signature(described: Described) -> inspect.Signature:
    """The function's signature, as far as forms are told by it. Raises MetricError."""
    try:
        given = [
            inspect.Parameter(name, getattr(inspect.Parameter, kind), default=None if has_default else _NONE)
            for name, kind, has_default in described.parameters
        ]
        return inspect.Signature(given)
    except (AttributeError, TypeError, ValueError):
        raise MetricError("the function has no signature that can be understood") from None


def _plain(turn: Turn) -> dict[str, Any]:
    """The turn as the process reads it, each side's passages with it."""
    return {
        "turn": {
            "messages": [{"role": one.role, "parts": one.parts} for one in turn.messages],
            "output": turn.output,
            "documents": turn.documents,
            "tool_calls": [{"name": one.name, "arguments": one.arguments} for one in turn.tool_calls],
            "tools": turn.tools,
            "labels": dict(turn.labels),
            "sides": {side: turn.passages(side) for side in SIDES},
        }
    }
