"""`@metric`: makes a user's function a metric of this process, for policies to name like the built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar, overload

from guard.metrics.fingerprint import fingerprint
from guard.metrics.function import of_function, source
from guard.metrics.metric import Cost, Kind
from guard.metrics.registry import REGISTRY
from guard.metrics.turn import SIDES, Side

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def metric(function: Function, /) -> Function: ...
@overload
def metric(
    *,
    name: str | None = None,
    kind: Kind = "number",
    sides: Collection[Side] = SIDES,
    labels: Collection[str] | None = None,
    cost: Cost | None = None,
    decoded: bool = False,
) -> Callable[[Function], Function]: ...
def metric(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    kind: Kind = "number",
    sides: Collection[Side] = SIDES,
    labels: Collection[str] | None = None,
    cost: Cost | None = None,
    decoded: bool = False,
) -> Any:
    """Registers a function, under its own name or `name`, and gives it back unchanged.

    What it may take and give, and what `kind`, `labels`, `cost` and `decoded` mean, `of_function` says. Raises
    MetricError where another metric has the name.
    """

    def register(function: Function) -> Function:
        settings = (kind, *sorted(sides), str(labels and sorted(labels)), str(cost), str(decoded))
        own = of_function(
            function,
            name or function.__name__,
            kind=kind,
            sides=sides,
            labels=labels,
            cost=cost,
            decoded=decoded,
            version=fingerprint(source(function), *settings),
        )
        # A module may run twice, as __main__ and under its name.
        if own.name not in REGISTRY or REGISTRY[own.name].version != own.version:
            REGISTRY.add(own)
        return function

    return register if function is None else register(function)
