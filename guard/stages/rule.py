"""A rule: a metric's score compared with a target. The eleven operators and what each may compare."""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict

from guard.metrics.score import Probe, Score, Value
from guard.metrics.selector import Selector
from guard.metrics.turn import Side

Operator = Literal["gt", "lt", "gte", "lte", "eq", "neq", "contains", "all", "any", "empty", "not_empty"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
Target: TypeAlias = bool | int | float | str | list[Any] | None
Test: TypeAlias = Callable[[Score], bool]

NUMBER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": op.gt, "lt": op.lt, "gte": op.ge, "lte": op.le, "eq": op.eq, "neq": op.ne,
}  # fmt: skip
STRING: dict[str, Callable[[Any, Any], bool]] = {"eq": op.eq, "neq": op.ne}
#: How many labels of a target are shown in a sentence.
SHOWN = 3
#: Operators that ask which labels were found.
LABELS = frozenset({"contains", "all", "any", "empty", "not_empty"})
#: Operators that stay true once true while more text is read: numbers only rise, labels are only added.
RISING = frozenset({"gt", "gte", "contains", "any", "all", "not_empty"})


class Rule(BaseModel):
    """`metric` measured `of` a side (default: the stage's own), compared by `operator` with `target_value`.

    With `only` it is measured on what that chooses of the side; where it chooses none of the texts, the rule is false.

    A pairing of value, operator and target that means nothing is false, as is a missing value; policies are checked
    for such pairings when they are loaded.
    """

    # A target that is no number compares false with everything, which would read as safe.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: str
    of: Side | None = None
    only: Selector | None = None
    operator: Operator
    target_value: Target = None

    def __str__(self) -> str:
        of = f" of {self.of}" if self.of else ""
        of += f" ({self.only})" if self.only else ""
        target = self.target_value
        if isinstance(target, list):
            more = [f"… {len(target) - SHOWN} more"] if len(target) > SHOWN else []
            target = f"[{', '.join([*map(str, target[:SHOWN]), *more])}]"
        return f"{self.metric}{of} {self.operator}{'' if target is None else f' {target}'}"

    def probe(self, kind: Side) -> Probe:
        """What it asks for in a stage of that kind."""
        return Probe(self.metric, self.of or kind, self.only)

    def test(self) -> Test:
        """The rule as a function of a score."""
        return _test(self.operator, self.target_value)


def _test(operator: Operator, target: Target) -> Test:
    # Compared as it is: an integer of four hundred digits has no float.
    number = target if isinstance(target, (bool, int, float)) else None
    if operator in LABELS:
        return lambda score: _labels_hit(operator, _labelled(score), target)
    compare_numbers, compare_strings = NUMBER[operator], STRING.get(operator)

    def test(score: Score) -> bool:
        value = score.value
        if isinstance(value, (bool, int, float)):
            return number is not None and compare_numbers(value, number)
        if isinstance(value, str):
            return compare_strings is not None and isinstance(target, str) and compare_strings(value, target)
        return False

    return test


def _labelled(score: Score) -> Value | None:
    """What a label operator looks at: a number's categories where it has some, else the value itself."""
    return score.labels if isinstance(score.value, (bool, int, float)) else score.value


def _labels_hit(operator: Operator, value: Value | None, target: Target) -> bool:
    if isinstance(value, str):
        return operator == "any" and isinstance(target, list) and value in target
    if not isinstance(value, (tuple, list)):
        return False
    if operator == "empty":
        return not value
    if operator == "not_empty":
        return bool(value)
    if operator == "contains":
        return isinstance(target, str) and target in value
    if not isinstance(target, list):
        return False
    return all(label in value for label in target) if operator == "all" else any(label in value for label in target)
