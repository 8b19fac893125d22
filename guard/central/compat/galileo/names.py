"""Galileo's names of metrics, in every spelling that its clients send, as metrics of Guard."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from guard.errors import nearest
from guard.metrics import Failure, Metric, Side
from guard.metrics.metric import Cost
from guard.metrics.pii import Pii
from guard.metrics.pii.labels import of_galileo

#: Which side is measured where the name does not say: first clients wrote `pii` for that of the output.
_OF: dict[str, Side] = {
    "completeness": "output",
    "context_adherence": "output",
    "pii": "output",
    "prompt_injection": "input",
    "sexism": "output",
    "tone": "output",
    "toxicity": "output",
}
_SIDES: tuple[Side, ...] = ("input", "output")
_ALSO = {"sexist": "sexism"}
#: What Galileo measures and Guard has no model for yet.
_TO_COME = frozenset({
    "action_advancement", "action_completion", "agent_efficiency", "agent_flow", "chunk_attribution_utilization",
    "chunk_relevance", "completeness", "context_precision", "context_relevance", "conversation_quality",
    "correctness", "ground_truth_adherence", "instruction_adherence", "precision_k", "reasoning_coherence",
    "sql_adherence", "sql_correctness", "sql_efficiency", "sql_injection", "tool_error_rate",
    "tool_selection_quality", "user_intent_change",
})  # fmt: skip
#: `pii` with Galileo's labels alone: what is found beside them must not make `not_empty` true.
PII = "galileo_pii"
_ABSENT = "galileo."


class Known(NamedTuple):
    """A metric of Guard, and the side it is measured of; None: whichever side is checked."""

    metric: str
    of: Side | None


def known(name: str, metrics: Container[str]) -> Known:
    """What a name of Galileo's means; the name of a metric that never measures where there is none."""
    if name in metrics and name not in _OF:
        return Known(name, None)
    base, of = _read(name)
    return Known(base if base in metrics else f"{_ABSENT}{base or '?'}", of or _OF.get(base))


def of_projects(written: Iterable[str], metrics: Container[str]) -> set[str]:
    """What a project's own metrics may be called by in these names: those that mean no metric of Guard's."""
    unknown = [name for name in written if known(name, metrics).metric.startswith(_ABSENT)]
    return {*unknown, *(_read(name)[0] for name in unknown)}


def _read(name: str) -> tuple[str, Side | None]:
    """A name without what is only spelling, and the side that it says."""
    words = re.sub(r"[^a-z0-9]+", "_", name.lower().replace("(slm)", "")).strip("_").removesuffix("_luna")
    of: Side | None = next((side for side in _SIDES if words.startswith(f"{side}_")), None)
    base = words.removeprefix(f"{of}_")
    return _ALSO.get(base, base), of


def own(used: Iterable[str], metrics: Iterable[str]) -> dict[str, Metric]:
    """The metrics of those names that Guard's registry does not have."""
    made = {name: _absent(name, metrics) for name in used if name.startswith(_ABSENT)}
    return {**made, PII: pii()} if PII in used else made


@cache
def pii() -> Metric:
    """Personal data under Galileo's labels alone."""
    return Pii(labels=of_galileo()).make(PII, Path())


def _absent(name: str, metrics: Iterable[str]) -> Metric:
    base = name.removeprefix(_ABSENT)
    if base in _TO_COME:
        return _failing(name, f"Guard has no metric '{base}' yet")
    return _failing(name, f"Guard has no metric '{base[:100]}'; {nearest(base[:100], {*metrics} - {PII})}")


@lru_cache(maxsize=1_000)
def _failing(name: str, why: str) -> Metric:
    return Metric(name, lambda turn, side: Failure(why), version=why, cost=Cost.FREE)
