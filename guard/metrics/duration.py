"""Durations as people write them: `300ms`, `2s`, `1m`, or a plain number of seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def seconds(value: Any) -> Any:
    """A written duration in seconds; anything else as it is. Raises ValueError with the fix."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if not match:
            raise ValueError(f"'{value}' is no duration; write 300ms, 2s or 1m")
        return float(match[1]) * _SECONDS[match[2]]
    return value


#: Seconds, above 0 and up to ten minutes.
Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=600)]
