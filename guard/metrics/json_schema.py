"""`{kind: json_schema, schema: order.schema.json}`: whether a side is JSON of the wanted shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from pydantic import Field

from guard.errors import MetricError
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Maker, Metric
from guard.metrics.schema_validator import linear_validator
from guard.metrics.score import Score
from guard.metrics.turn import Side, Turn

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

NOT_JSON, SCHEMA = "not_json", "schema"


class JsonSchema(Maker):
    """`schema` is a JSON Schema, written in place or as the path of a JSON file."""

    kind: ClassVar[str] = "json_schema"
    shape: dict[str, Any] | Path = Field(alias="schema")

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels: none where every passage fits, else `not_json` or `schema`, the reason says where.

        Raises MetricError where the schema cannot be used.
        """
        schema = self.shape if isinstance(self.shape, dict) else _loaded(name, folder / self.shape)
        try:
            validator = linear_validator(schema)
        except ValueError as error:
            raise MetricError(f"metric '{name}': {error}") from None

        def measure(turn: Turn, side: Side) -> Score:
            labels: list[str] = []
            reason = ""
            for number, passage in enumerate(turn.passages(side)):
                label, why = _wrong(validator, passage)
                if label:
                    labels.append(label)
                    reason = reason or f"passage {number}: {why}"
            found = tuple(dict.fromkeys(labels))
            return Score(found, labels=found, reason=reason)

        return Metric(
            name,
            measure,
            kind="labels",
            version=fingerprint(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)),
            cost=Cost.LOCAL,
            labels=frozenset({NOT_JSON, SCHEMA}),
            description="what keeps the text from being JSON that fits the schema",
        )


def _wrong(validator: Validator, text: str) -> tuple[str, str]:
    """The label of what is wrong with a passage and why, both empty where it fits."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return NOT_JSON, f"no JSON at character {error.pos}: {error.msg}"
    # Only the place and the keyword: the message would carry the text itself into the reason.
    for error in validator.iter_errors(value):
        return SCHEMA, f"{error.json_path} does not meet {error.validator}: {error.validator_value!r}"[:300]
    return "", ""


def _loaded(name: str, file: Path) -> dict[str, Any]:
    try:
        schema = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise MetricError(f"metric '{name}': {file} cannot be read: {error}; give the path of a JSON Schema") from None
    if not isinstance(schema, dict):
        raise MetricError(f"metric '{name}': {file} holds no schema; a JSON Schema is an object")
    return schema
