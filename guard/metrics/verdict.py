"""A language model's verdict: read strictly, because whatever is not one must become a failure, not a score."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from guard.metrics.metric import Kind
from guard.metrics.score import Score, Value


def read_verdict(answer: str, gives: Kind, labels: Collection[str] = ()) -> Score:
    """The score in `{"value": …, "reason": …}`, bare or in a Markdown code block.

    Raises ValueError where there is no such object, a number is not within 0..1, or a label is none of `labels`.
    """
    try:
        verdict = json.loads(_unfenced(answer))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON verdict: {_short(answer)}") from error
    if not isinstance(verdict, dict) or "value" not in verdict:
        raise ValueError(f"no JSON verdict with a value: {_short(answer)}")
    reason = verdict.get("reason") or ""
    if not isinstance(reason, str):
        raise ValueError(f"a reason that is no text: {_short(reason)}")
    value = _READERS[gives](verdict["value"], labels)
    return Score(value, labels=value if isinstance(value, tuple) else None, reason=reason)


def _number(value: Any, labels: Collection[str]) -> Value:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"a verdict that is no number from 0 to 1: {_short(value)}")
    return float(value)


def _label(value: Any, labels: Collection[str]) -> Value:
    if not isinstance(value, str) or value not in labels:
        raise ValueError(f"a verdict that is none of the labels: {_short(value)}")
    return value


def _labels(value: Any, labels: Collection[str]) -> Value:
    if not isinstance(value, list):
        raise ValueError(f"a verdict that is no list of labels: {_short(value)}")
    return tuple(dict.fromkeys(str(_label(label, labels)) for label in value))


_READERS = {"number": _number, "label": _label, "labels": _labels}


def _unfenced(answer: str) -> str:
    text = answer.strip()
    if text.startswith("```") and text.endswith("```") and len(text) > 6:
        return text[3:-3].strip().removeprefix("json")
    return text


def _short(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= 100 else f"{text[:100]}…")
