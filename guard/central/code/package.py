"""What is uploaded for a code metric."""

from __future__ import annotations

import sys
from typing import Annotated

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from guard.metrics import SIDES, Side
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Kind


def _from_the_index(line: str) -> str:
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise ValueError(f"'{line[:80]}' is no requirement: {str(error).splitlines()[0]}") from None
    if requirement.url:
        raise ValueError(f"'{requirement.name}' names an address; requirements come from central's package index only")
    return str(requirement)


Label = Annotated[str, Field(min_length=1, max_length=200)]
Wanted = Annotated[str, Field(max_length=300), AfterValidator(_from_the_index)]


class Package(BaseModel):
    """Code with a function in it, what it needs, and what it gives.

    `function` takes and gives what a metric's function does; `requirements` are as pip reads them, from the index and
    as wheels. `gives` is the kind of the score, `labels` the closed set of labels where there is one, `sides` those
    that it can measure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, max_length=500_000)
    function: str = Field(default="scorer_fn", max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    requirements: tuple[Wanted, ...] = Field(default=(), max_length=50)
    gives: Kind = "number"
    labels: frozenset[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(
        default=None, max_length=1_000
    )
    sides: tuple[Side, ...] = Field(default=SIDES, min_length=1, max_length=len(SIDES))

    @property
    def digest(self) -> str:
        """What it is kept by: another one with any change, and with another Python."""
        content = self.model_dump_json(exclude={"labels"})
        return fingerprint(content, *sorted(self.labels or ()), sys.version, "1")
