"""A user's function as a metric: of a text, of a turn and its side, or in the form of Galileo's custom metrics."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, cast

from guard.errors import MetricError
from guard.metrics.metric import Cost, Kind, Measure, Metric, as_measurement, each_passage
from guard.metrics.normalise import normalise, views
from guard.metrics.score import Failure, Measurement, Score
from guard.metrics.turn import SIDES, Side, Turn

FORMS = "write f(text), f(turn, side) or scorer_fn(*, index, node_input, node_output, **kwargs)"
GALILEO = frozenset({"index", "node_input", "node_output"})


def of_function(
    function: Callable[..., Any],
    name: str,
    *,
    kind: Kind = "number",
    sides: Collection[Side] = SIDES,
    labels: Collection[str] | None = None,
    cost: Cost | None = None,
    decoded: bool = False,
    version: str = "1",
) -> Metric:
    """The metric that a function measures, plain or `async`.

    f(text) reads each passage, normalised, and with `decoded` also what is decoded of it; of several numbers the
    highest counts, labels are added up, and for kind `label` the passages are read as one text. f(turn, side) gets
    everything. Galileo's form gets the input's and the output's passages, each as one text. What it gives becomes a
    score as `as_measurement` says; of another kind than declared, or None, it is a failure. By default a plain function
    costs LOCAL, which runs it in a thread, and an `async` one REMOTE.

    Raises MetricError where the function takes other arguments.
    """
    measure = _measure(function, name, kind, decoded)
    waits = inspect.iscoroutinefunction(function)
    return Metric(
        name,
        measure,
        kind=kind,
        version=version,
        sides=frozenset(sides),
        # What costs nothing is run at once, where there is no waiting.
        cost=(Cost.REMOTE if waits else Cost.LOCAL) if cost is None else max(cost, Cost.LOCAL) if waits else cost,
        labels=None if labels is None else frozenset(labels),
        description=(inspect.getdoc(function) or "").partition("\n")[0],
    )


def _measure(function: Callable[..., Any], name: str, kind: Kind, decoded: bool) -> Measure:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise MetricError(f"metric '{name}': {function!r} is no function; {FORMS}") from None
    needed = {p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    by_name = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    if by_name & GALILEO and needed <= GALILEO:
        wanted = GALILEO if any(p.kind is p.VAR_KEYWORD for p in parameters) else by_name & GALILEO
        return lambda turn, side: _when_known(
            [function(**_as_galileo(turn, wanted))], lambda given: as_measurement(given[0], kind)
        )
    if len(needed - by_name) == len(needed) == 2:
        return lambda turn, side: _when_known([function(turn, side)], lambda given: as_measurement(given[0], kind))
    if len(needed - by_name) == len(needed) == 1:
        return _of_text(function, kind, decoded)
    raise MetricError(f"metric '{name}': the function takes ({', '.join(sorted(needed))}); {FORMS}")


def _of_text(function: Callable[[str], Any], kind: Kind, decoded: bool) -> Measure:
    def measure(turn: Turn, side: Side) -> Measurement | Awaitable[Measurement]:
        passages = turn.passages(side)
        if kind == "label":
            whole = normalise("\n".join(passages))
            return _when_known([function(whole)], lambda given: as_measurement(given[0], kind))
        texts = [view.text for passage in passages for view in views(passage, decoded=decoded)]
        texts = list(dict.fromkeys(texts or [""]))

        def together(given: list[Any]) -> Measurement:
            scores: dict[str, Score] = {}
            for text, value in zip(texts, given, strict=True):
                score = as_measurement(value, kind)
                if isinstance(score, Failure):
                    return score
                scores[text] = score
            return cast(Measurement, each_passage(scores.__getitem__, decoded=decoded)(turn, side))

        return _when_known([function(text) for text in texts], together)

    return measure


def _when_known(given: list[Any], then: Callable[[list[Any]], Measurement]) -> Measurement | Awaitable[Measurement]:
    """What follows from values, at once or, where a function is `async`, when it has answered."""

    async def later() -> Measurement:
        return then([await value if inspect.isawaitable(value) else value for value in given])

    return later() if any(map(inspect.isawaitable, given)) else then(given)


def _as_galileo(turn: Turn, wanted: Collection[str]) -> dict[str, object]:
    everything = {
        "index": 0,
        "node_input": "\n".join(turn.passages("input")),
        "node_output": "\n".join(turn.passages("output")),
    }
    return {name: everything[name] for name in wanted}


def source(function: Callable[..., Any]) -> bytes:
    """What a function was made from: the file that it stands in, or its byte code where it stands in none."""
    try:
        return Path(inspect.getfile(inspect.unwrap(function))).read_bytes()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return repr(function).encode() if code is None else code.co_code + repr(code.co_consts).encode()
