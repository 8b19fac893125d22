"""The file of a user's own head: weights on the encoder's embedding, what they give, which encoder they belong to."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from guard.errors import MetricError
from guard.metrics.metric import Kind

Finite = Annotated[float, Field(allow_inf_nan=False)]
_LITTLE = np.dtype("<f4")


class FittedOn(BaseModel):
    """The encoder a head was fitted on: to another one its weights mean nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    sha256: Mapping[str, str]


class HeadFile(BaseModel):
    """`NAME.head.json`. `weights` are base64 of D x C little-endian float32, row by row; `biases` C numbers.

    `gives: number` has one column and one threshold; `labels` one of each for every label, each its own yes or no;
    `label` one column for every label, which exclude each other, and no thresholds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str
    gives: Kind
    labels: tuple[str, ...] = ()
    thresholds: tuple[Annotated[float, Field(gt=0, le=1)], ...] = ()
    encoder: FittedOn
    biases: tuple[Finite, ...] = Field(min_length=1)
    weights: str

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """The weights, D x C."""
        columns = len(self.biases)
        return np.frombuffer(base64.b64decode(self.weights, validate=True), _LITTLE).reshape(-1, columns)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        columns = len(self.biases)
        expected = {"number": (0, 1), "labels": (columns, columns), "label": (columns, 0)}[self.gives]
        if (len(self.labels), len(self.thresholds)) != expected or (self.gives == "number" and columns > 1):
            raise ValueError(f"{columns} biases, {len(self.labels)} labels and {len(self.thresholds)} thresholds")
        try:
            finite = bool(np.isfinite(self.table).all())
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"the weights cannot be read ({error})") from None
        if not (finite and self.table.size):
            raise ValueError("the weights are no numbers")
        return self


def encoded(weights: NDArray[np.floating]) -> str:
    """D x C weights as the file holds them."""
    return base64.b64encode(np.ascontiguousarray(weights, _LITTLE).tobytes()).decode()


def read_head(file: Path) -> HeadFile:
    """The head in a file. Raises MetricError where there is none."""
    mend = "fit it with `guard metrics train NAME --data labelled.csv`"
    try:
        return HeadFile.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        if isinstance(error, ValidationError):
            # What the file holds is not repeated: a policy may name any file of this machine.
            first = error.errors(include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "its parts"
            raise MetricError(f"{file} is no head: {place}: {first['msg']}; {mend}") from None
        why = getattr(error, "strerror", None) or error
        raise MetricError(
            f"the head {file} cannot be read ({why}); a relative path begins at the policy's folder; {mend}"
        ) from None
