from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guard.errors import SettingsError
from guard.evaluate import Row, Scorer, scored
from guard.metrics import Failure, Metric, Score, Span


def number(name: str = "length", **more: Any) -> Metric:
    def measure(turn, side):
        texts = turn.passages(side)
        spans = tuple(Span(0, len(text), side, passage=n) for n, text in enumerate(texts) if text)
        return Score(float(sum(map(len, texts))), spans=spans)

    return Metric(name, measure, **more)


def row(**fields: Any) -> Row:
    return Row("rows.jsonl:1", fields)


async def score(metric: Metric, fields: Row, side=None) -> dict[str, Any]:
    return (await Scorer({metric.name: metric}, side).score(fields))[metric.name]


async def test_a_text_stands_on_the_input_or_where_the_metric_can_measure_it():
    assert (await score(number(), row(text="abc")))["spans"][0]["side"] == "input"
    only_output = number(sides=frozenset({"output", "retrieval"}))
    assert (await score(only_output, row(text="abc")))["spans"][0]["side"] == "output"
    assert (await score(number(), row(text="abc"), "tool_result"))["spans"][0]["side"] == "tool_result"


async def test_input_and_output_are_both_measured_and_the_worse_counts():
    entry = await score(number(), row(input="ab", output="abcd"))
    assert entry["value"] == 4
    assert [(span["side"], span["end"]) for span in entry["spans"]] == [("input", 2), ("output", 4)]
    assert (await score(number(), row(input="ab", output="abcd"), "input"))["value"] == 2
    assert (await score(number(), row(input="ab", output=None)))["value"] == 2


async def test_one_label_is_that_of_the_output():
    said = Metric("said", lambda turn, side: side, kind="label")
    assert (await score(said, row(input="a", output="b")))["value"] == "output"


@pytest.mark.parametrize("context", ["one", ["one", "two"]])
async def test_context_is_what_was_retrieved(context):
    seen = Metric("seen", lambda turn, side: turn.documents, kind="labels", sides=frozenset({"output"}))
    expected = [context] if isinstance(context, str) else context
    assert (await score(seen, row(output="b", context=context)))["value"] == expected
    assert (await score(number(), row(context=context), "retrieval"))["value"] == sum(map(len, expected))


async def test_a_failure_on_one_side_is_no_value_of_the_other():
    def measure(turn, side):
        return Failure("no answer") if side == "output" else Score(0.0)

    assert await score(Metric("half", measure), row(input="a", output="b")) == {"error": "no answer"}


async def test_a_metric_that_raises_is_an_error_of_its_row():
    entry = await score(Metric("broken", lambda turn, side: 1 / 0), row(text="a"))
    assert entry == {"error": "ZeroDivisionError: division by zero"}


async def test_a_label_s_own_numbers_are_told_too():
    rated = Metric("rated", lambda turn, side: Score(0.9, labels=("a",), by_label={"a": 0.8, "b": 0.1}))
    assert await score(rated, row(text="x")) == {
        "value": 0.9,
        "labels": ["a"],
        "spans": [],
        "by_label": {"a": 0.8, "b": 0.1},
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "the row has nothing"),
        ({"texts": "a"}, "the row has texts"),
        ({"text": 3}, "'text' is a text, not int"),
        ({"input": ["a"]}, "'input' is a text, not list"),
        ({"input": "a", "context": [1]}, "'context' is a text or a list of texts"),
        ({"context": "a"}, "nor 'input' nor 'output'"),
    ],
)
async def test_a_row_without_what_is_to_be_measured_is_refused_with_its_place(fields, why):
    with pytest.raises(SettingsError, match=rf"rows\.jsonl:1: .*{why}"):
        await score(number(), row(**fields))


def test_a_side_that_a_metric_does_not_measure_is_refused_before_any_row():
    with pytest.raises(SettingsError, match="length does not measure the input; it measures output"):
        Scorer({"length": number(sides=frozenset({"output"}))}, "input")


async def test_rows_come_back_in_order_with_a_bounded_number_in_hand():
    running = most = 0

    async def measure(turn, side):
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.02 if turn.passages(side) == ("row 3",) else 0)
        running -= 1
        return Score(1.0)

    read = 0

    def rows():
        nonlocal read
        for read in range(1, 201):
            yield row(text=f"row {read}")

    seen = []
    async for one, _ in scored(rows(), Scorer({"slow": Metric("slow", measure)}), 4):
        seen.append(one.fields["text"])
        assert read - len(seen) < 4
    assert seen == [f"row {number}" for number in range(1, 201)]
    assert 2 <= most <= 4


async def test_what_a_row_was_scored_already_is_measured_again_only_on_request():
    rows = [row(text="abc", scores={"length": {"value": 7}})]
    scorer = Scorer({"length": number()})
    assert [entries async for _, entries in scored(rows, scorer, 4, again=False)] == [{}]
    assert [entries["length"]["value"] async for _, entries in scored(rows, scorer, 4)] == [3]


async def test_a_row_that_is_refused_ends_it_after_those_before_it():
    rows = [row(text="a"), row(text="b"), row(no="text"), row(no="text either")]
    seen = []
    with pytest.raises(SettingsError, match="the row has no"):
        async for one, _ in scored(rows, Scorer({"length": number()}), 16):
            seen.append(one.fields["text"])
    assert seen == ["a", "b"]
