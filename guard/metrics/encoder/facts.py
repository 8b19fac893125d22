"""What the shipped encoder says of itself: `model.json`, checked. Reading it loads no weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from guard.errors import MetricError

FOLDER = Path(__file__).parents[1] / "models" / "encoder"
#: From here on a text counts as offending: heads are calibrated so that offending and harmless are even odds.
EVEN = 0.5
MEND = "install Guard again, or export the model anew"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Calibrated(_Part):
    """Probability = sigmoid(scale · logit + bias)."""

    scale: float = 1.0
    bias: float = 0.0


class Label(Calibrated):
    """One category of a head: reported from `threshold` on, where the head's own value is at least `floor`."""

    threshold: float = 0.5
    floor: float = EVEN


class Head(Calibrated):
    """One question that the model answers.

    `thresholds` are, for a number, the values that a share of harmless texts reaches; for spans, from which probability
    on a type is reported. With `names_one` an offending text always gets its likeliest label.
    """

    kind: Literal["number", "label", "spans", "pair"]
    labels: Mapping[str, Label] = {}
    names_one: bool = False
    thresholds: Mapping[str, float] = {}


class WindowSize(_Part):
    """Tokens that one pass reads of a text, special ones included, and how many of them neighbours share at most."""

    tokens: int = Field(ge=8)
    overlap: int = Field(ge=0)

    @model_validator(mode="after")
    def _moves_on(self) -> Self:
        least = min(self._parts())
        if self.overlap >= least // 2:
            raise ValueError(f"neighbours can share {least // 2 - 1} tokens at most, not {self.overlap}")
        return self

    def _parts(self) -> tuple[int, ...]:
        return (self.tokens - 2,)


class PairSize(WindowSize):
    """Of a pair's tokens at most `response` are the response's; the context has the rest."""

    response: int = Field(ge=4)

    def _parts(self) -> tuple[int, ...]:
        return self.response, self.tokens - 3 - self.response


class Facts(_Part):
    """The names of the model's outputs and what they mean. A column is called HEAD, HEAD/LABEL or HEAD/TAG."""

    name: str
    version: str
    sha256: Mapping[str, str]
    window: WindowSize
    pair: PairSize
    columns: tuple[str, ...]
    token_columns: tuple[str, ...]
    heads: Mapping[str, Head]

    @model_validator(mode="after")
    def _has_its_columns(self) -> Self:
        for name, head in self.heads.items():
            wanted = [name] if head.kind in ("number", "pair") else []
            wanted += [f"{name}/{label}" for label in head.labels]
            missing = [column for column in wanted if column not in self.columns]
            if missing:
                raise ValueError(f"the head '{name}' has no column '{missing[0]}'")
        return self

    @property
    def model(self) -> str:
        """Which weights these are; another name for other ones."""
        return f"{self.name}-{self.version}+{self.sha256['model.onnx'][:8]}"

    @cached_property
    def reads_as(self) -> str:
        """Changes when the same text could be read otherwise: by other weights, other tokens or other windows."""
        return f"{self.sha256} {self.window.model_dump_json()}"

    @cached_property
    def calibration(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scales and biases by column."""
        table = [self._calibrated(*column.partition("/")[::2]) for column in self.columns]
        return (
            np.array([found.scale for found in table], np.float32),
            np.array([found.bias for found in table], np.float32),
        )

    def _calibrated(self, head: str, label: str) -> Calibrated:
        found = self.heads.get(head, Calibrated())
        if label and isinstance(found, Head):
            return found.labels.get(label, Calibrated())
        return found

    def under(self, head: str) -> dict[str, int]:
        """The labels of a head's columns, and where these stand."""
        return _under(self.columns, head)

    def mark(self, head: str) -> int | None:
        """Where the token column stands that marks what makes a head's number high, if it has one."""
        return self.token_columns.index(head) if head in self.token_columns else None

    def tags(self, head: str) -> dict[str, int]:
        """The tags of a head's token columns, and where these stand."""
        return _under(self.token_columns, head)


def _under(columns: tuple[str, ...], head: str) -> dict[str, int]:
    return {name.removeprefix(f"{head}/"): at for at, name in enumerate(columns) if name.startswith(f"{head}/")}


@cache
def facts(folder: Path = FOLDER) -> Facts:
    """The facts in a model's folder. Raises MetricError where they are missing or contradict themselves."""
    file = folder / "model.json"
    try:
        return Facts.model_validate_json(file.read_bytes())
    except OSError as error:
        raise MetricError(f"there is no model in {folder} ({error}); {MEND}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise MetricError(f"{file} cannot be used: {place}: {first['msg']}; {MEND}") from error
