from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guard.errors import MetricError
from guard.metrics import Failure, Metric, Probe, Score, ToolCall, Turn
from guard.metrics.measure import measure
from guard.metrics.registry import make

ORDER = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": r"^ORD-\d+$"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "uniqueItems": True},
    },
    "$defs": {"item": {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}},
}


def fits(schema: object, folder: Path | None = None) -> Metric:
    return make("shape", {"kind": "json_schema", "schema": schema}, folder or Path())


def measured(metric: Metric, *texts: str) -> Score:
    score = metric.measure(Turn(output=texts), "output")
    assert isinstance(score, Score)
    return score


def test_json_that_fits_gives_no_label() -> None:
    metric = fits(ORDER)
    assert (metric.kind, metric.windowed, metric.labels) == ("labels", False, {"not_json", "schema"})
    assert (
        measured(metric, '{"id": "ORD-1", "items": [{"price": 1}, {"price": 2.5}]}', ' {"id": "ORD-2"}\n').value == ()
    )
    assert measured(metric).value == ()


@pytest.mark.parametrize("text", ["", "hello", '{"id": "ORD-1"', "```json\n{}\n```", "NaN", '"\ud800"', "[" * 100_000])
def test_what_is_no_json_says_so(text: str) -> None:
    score = measured(fits(ORDER), text)
    assert score.value == score.labels == ("not_json",)
    assert score.reason.startswith("passage 0: no JSON at character")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "$ does not meet type: 'object'"),
        ({}, "$ does not meet required: ['id']"),
        ({"id": "1"}, r"$.id does not meet pattern: '^ORD-\\d+$'"),
        ({"id": "ORD-1", "items": [{"price": 1}, {"price": -1}]}, "$.items[1].price does not meet minimum: 0"),
        ({"id": "ORD-1", "items": [{"price": 1}, {"price": 1.0}]}, "$.items does not meet uniqueItems: True"),
    ],
)
def test_json_of_another_shape_says_where_and_what(value: object, reason: str) -> None:
    score = measured(fits(ORDER), '{"id": "ORD-9"}', json.dumps(value))
    assert score.value == ("schema",)
    assert score.reason == f"passage 1: {reason}"


def test_the_reason_does_not_repeat_the_text() -> None:
    assert "4111" not in measured(fits({"type": "number"}), '"4111 1111 1111 1111"').reason


def test_arguments_of_tool_calls_can_be_measured() -> None:
    turn = Turn(tool_calls=(ToolCall("order", '{"id": 3}'),))
    score = fits(ORDER).measure(turn, "tool_call")
    assert isinstance(score, Score)
    assert score.value == ("schema",)


def test_the_schema_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text(json.dumps(ORDER))
    metric = fits("order.json", tmp_path)
    assert measured(metric, "{}").value == ("schema",)
    assert metric.version == fits(ORDER).version != fits({}).version


def test_a_file_that_holds_no_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    for file, why in (
        ("none.json", "cannot be read"),
        ("broken.json", "cannot be read"),
        ("list.json", "is an object"),
    ):
        with pytest.raises(MetricError, match=rf"metric 'shape': .*{file}.*{why}"):
            fits(file, tmp_path)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "strnig"}, r"no valid JSON Schema at \$\.type"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, r"the pattern \(\?=x\) does not compile: .*RE2"),
        ({"patternProperties": {"(": {}}}, r"no valid JSON Schema at \$\.patternProperties: .*regex"),
        ({"$ref": "#/$defs/none"}, r"the \$ref #/\$defs/none leads nowhere .*nothing is fetched"),
        ({"$ref": "https://example.com/schema.json"}, ".*leads nowhere"),
    ],
)
def test_a_schema_that_cannot_work_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(MetricError, match=f"metric 'shape': {why}"):
        fits(schema)


def test_names_and_examples_are_not_taken_for_patterns() -> None:
    metric = fits({"properties": {"pattern": {"type": "string"}}, "enum": [{"pattern": "("}], "default": {"$ref": "x"}})
    assert measured(metric, '{"pattern": "("}').value == ()


def test_members_are_matched_by_pattern() -> None:
    metric = fits({"patternProperties": {"^n_": {"type": "number"}}})
    assert measured(metric, '{"n_a": 1, "b": "x"}').value == ()
    assert measured(metric, '{"n_a": "x"}').value == ("schema",)


def test_older_dialects_are_read() -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": True}
    assert measured(fits(schema), "3").value == ("schema",)
    assert measured(fits(schema), "4").value == ()


def test_a_pattern_that_would_explode_elsewhere_takes_linear_time() -> None:
    assert measured(fits({"pattern": "^(a+)+$"}), json.dumps("a" * 100_000 + "b")).value == ("schema",)


def test_many_items_of_mixed_types_are_compared_in_linear_time() -> None:
    items = json.dumps([{"a": number} if number % 2 else number for number in range(50_000)])
    assert measured(fits({"uniqueItems": True}), items).value == ()


async def test_json_nested_too_deep_for_the_schema_fails_rather_than_passes() -> None:
    metric = fits({"$ref": "#/$defs/n", "$defs": {"n": {"additionalProperties": {"$ref": "#/$defs/n"}}}})
    probe = Probe("shape", "output")
    results = await measure([probe], Turn(output=('{"a":' * 900 + "1" + "}" * 900,)), {"shape": metric})
    failure = results[probe]
    assert isinstance(failure, Failure)
    assert "RecursionError" in failure.error
