from __future__ import annotations

from typing import Any

import pytest

from guard.errors import SettingsError
from guard.evaluate import Question, Result, Row, Scorer, evaluate, truth_of
from guard.evaluate.spans import Place


def entry(value: Any, **more: Any) -> dict[str, Any]:
    return {"value": value, "labels": [], "spans": [], **more}


def rows(*pairs: tuple[Any, Any], **more: Any) -> list[Row]:
    """Rows of a label and a metric's entry, or its value."""
    return [
        Row(f"rows.jsonl:{n}", {"label": label, "scores": {"m": e if isinstance(e, dict) else entry(e)}, **more})
        for n, (label, e) in enumerate(pairs, start=1)
    ]


async def result(found: list[Row], **question: Any) -> Result:
    (one,) = (await evaluate(found, Scorer({}), Question(**question))).results
    return one


async def test_numbers_are_compared_with_0_and_1():
    found = await result(rows((1, 0.9), (0, 0.2), (True, 0.4), (0.7, 0.8), (False, 0.1)), at=0.5)
    assert found.figures.auroc.value == 1
    assert (found.rows, found.figures.positives, found.figures.at.recall.value) == (5, 3, pytest.approx(2 / 3))
    assert (found.labels, found.exact, found.overlap) == (None, None, None)


async def test_labels_compared_with_0_and_1_count_as_whether_there_is_any():
    found = await result(rows((1, ["email"]), (0, []), (1, [])))
    assert found.figures.at.recall.value == 0.5
    assert found.figures.at.false_positives.value == 0


async def test_a_list_of_labels_is_all_that_a_row_has():
    found = await result(rows((["a", "b"], ["a"]), ([], ["b"]), (["b"], ["b", "c"])))
    counts = {name: (one.truths, one.found, one.right) for name, one in found.labels.labels.items()}
    assert counts == {"a": (1, 1, 1), "b": (2, 2, 1), "c": (0, 1, 0)}
    assert found.figures is None


async def test_an_object_of_labels_judges_only_those_it_names():
    found = await result(rows(({"a": 1, "b": 0}, ["a", "c"]), ({"b": 1, "a": None}, ["a", "b"])))
    counts = {name: (one.truths, one.found, one.right) for name, one in found.labels.labels.items()}
    assert counts == {"a": (1, 1, 1), "b": (1, 1, 1)}


async def test_a_label_of_the_metric_s_own_name_is_about_its_number():
    pairs = [({"toxic": 1, "insult": 1}, entry(0.9, labels=["insult"])), ({"toxic": 0, "insult": 0}, entry(0.1))]
    found = await result(rows(*pairs), renamed={"toxic": "m"})
    assert found.figures.auroc.value == 1
    assert list(found.labels.labels) == ["insult"]


async def test_labels_with_numbers_of_their_own_are_ranked_by_them():
    pairs = [(["a"], 0.4), ([], 0.1), (["a"], 0.8), ([], 0.5)]
    found = await result(rows(*((label, entry(0.9, by_label={"a": score})) for label, score in pairs)))
    assert found.numbers["a"].auroc.value == 0.75
    assert found.labels.labels["a"].recall.value == 0


async def test_one_label_is_compared_with_one_label():
    found = await result(rows(("en", "en"), ("de", "en"), ("de", "de")))
    assert found.labels.total.right == 2
    assert found.labels.labels["de"].recall.value == 0.5


async def test_spans_are_compared_with_spans_exactly_and_by_overlap():
    span = {"start": 0, "end": 4, "label": "PERSON"}
    found = entry(["name"], spans=[{"start": 0, "end": 3, "label": "name", "score": 1.0, "side": "input"}])
    one = await result(rows(([span], found), ([], entry([]))), renamed={"PERSON": "name"})
    assert (one.exact.total.right, one.overlap.total.right, one.overlap.rows) == (0, 1, 2)
    assert one.labels is None


async def test_rows_that_failed_or_have_no_label_are_left_out_and_counted():
    found = [*rows((1, 0.9), (0, 0.1), (1, {"error": "was late"})), Row("rows.jsonl:9", {"scores": {"m": entry(0.0)}})]
    evaluation = await evaluate(found, Scorer({}), Question())
    (one,) = evaluation.results
    assert (one.rows, one.failed, one.failure, evaluation.unlabelled) == (2, 1, "was late", 1)
    assert one.figures.at.recall.value == 1


async def test_groups_are_told_apart_and_rows_without_one_are_a_group():
    found = [*rows((1, 0.9), (0, 0.6), lang="de"), *rows((1, 0.1), (0, 0.2))]
    groups = (await result(found, group="lang")).figures.groups
    assert {name: part.at.recall.value for name, part in groups.items()} == {"de": 1, "none": 0}
    labelled = [*rows((["a"], ["a"]), lang="de"), *rows((["a"], []))]
    groups = (await result(labelled, group="lang")).labels.groups
    assert {name: part.recall.value for name, part in groups.items()} == {"de": 1, "none": 0}


@pytest.mark.parametrize(
    ("label", "scored", "why"),
    [
        (2, 0.5, "write 0 or 1"),
        ("yes", {"value": None}, "not {'value': None}"),
        (1, {"value": float("nan")}, "value, labels, spans"),
        (1, "en", "name the label it has"),
        ({"a": "x"}, 0.5, "write 0 or 1"),
        ([{"start": 3, "end": 1, "label": "x"}], 0.5, "a span is"),
        ([1, "x"], 0.5, "write 0 or 1"),
        ([], entry([], spans=[{"start": 0}]), "spans are"),
        ([], entry(0.1, by_label={"a": "high"}), "value, labels, spans"),
    ],
)
async def test_what_cannot_be_compared_is_refused_with_its_line(label, scored, why):
    with pytest.raises(SettingsError, match=rf"rows\.jsonl:1: .*{why}"):
        await result(rows((label, scored)))


async def test_spans_of_two_sides_need_a_side_to_be_chosen():
    spans = [{"start": 0, "end": 3, "label": "x", "side": side} for side in ("input", "output")]
    with pytest.raises(SettingsError, match="choose with --side"):
        await result(rows(([], entry(["x"], spans=spans))))


async def test_a_field_that_no_row_has_is_an_error_that_names_those_there_are():
    with pytest.raises(SettingsError, match="no row has a 'truth'; rows have label, scores"):
        await result(rows((1, 0.5)), label="truth")


async def test_rows_without_scores_need_a_metric():
    with pytest.raises(SettingsError, match="--metric"):
        await evaluate([Row("rows.jsonl:1", {"label": 1, "text": "a"})], Scorer({}), Question())


def test_labels_are_read_by_their_new_names():
    row = Row("x:1", {"label": ["A", "B"], "spans": [{"start": 1, "end": 2, "label": "A", "passage": 1}]})
    assert truth_of(row, "label", {"A": "a"}).labels == {"a": True, "B": True}
    assert truth_of(row, "spans", {"A": "a"}).spans == (Place("a", 1, 1, 2),)
    assert truth_of(row, "nothing", {}) is None
