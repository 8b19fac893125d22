"""What a line of a file becomes: its truth, its fold, and who it must stay together with."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import pytest

from guard.cli.train import SPEC
from guard.errors import SettingsError
from guard.training.rows import KEPT, Mark, rows, units
from guard.training.spec import SourceSpec, read_spec
from tests.training import tiny


@pytest.fixture
def read(tmp_path):
    """The rows of lines, under what a spec says of their source."""

    def found(*lines, task="injection", **says):
        sha256 = tiny.written(tmp_path / "a.jsonl.gz", lines)
        source = SourceSpec(file="a.jsonl.gz", sha256=sha256, task=task, **says)
        return rows("a", source, tiny.spec(), tmp_path)

    return found


@cache
def shipped():
    return read_spec(SPEC)


@cache
def corpus(name):
    """The rows of a source that we wrote."""
    return rows(name, shipped().sources[name], shipped(), SPEC.parent)


WRITTEN = sorted(name for name, source in read_spec(SPEC).sources.items() if source.written)


@pytest.mark.parametrize("name", WRITTEN)
def test_what_belongs_together_stays_in_one_fold(name):
    folds = defaultdict(set)
    for row in corpus(name):
        folds[row.unit].add(row.fold)
    assert {unit for unit, found in folds.items() if len(found) > 1} == set()


@pytest.mark.parametrize("name", ["pairs", "indirect", "grounded"])
def test_pairs_and_groups_are_units_of_several_rows(name):
    assert {len(unit) for unit in units(corpus(name))} <= {2, 4}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_written_corpus_has_rows_to_learn_from_and_rows_to_be_judged_by(name):
    folds = [row.fold for row in corpus(name)]
    assert 0.06 < sum(fold in KEPT for fold in folds) / len(folds) < 0.14
    assert folds.count("valid") > 0.02 * len(folds)
    assert folds.count("train") > 0.8 * len(folds)


def test_a_line_says_what_is_known_and_nothing_else(read):
    (row,) = read({"text": "x", "label": 1, "category": ["hidden"], "split": "train"})
    assert row.truth == {"prompt_injection": 1, "prompt_injection/plain": 0, "prompt_injection/hidden": 1}
    (row,) = read({"text": "x", "labels": {"insult": 0.4, "rude": 1}, "split": "train"}, task="toxicity")
    assert row.truth == {"toxicity/insult": 0}


def test_a_category_of_abuse_is_abuse_though_nobody_labelled_the_whole(read):
    (row,) = read({"text": "x", "labels": {"insult": 1}, "split": "train"}, task="toxicity")
    assert row.truth == {"toxicity": 1, "toxicity/insult": 1}


def test_rows_that_say_nothing_of_the_whole_are_part_of_a_no_where_the_spec_says_so(read):
    quiet, loud = read(
        {"text": "x", "labels": {"insult": 0}, "split": "train"},
        {"text": "y", "labels": {"insult": 0, "toxic": 0}, "split": "train"},
        task="toxicity",
        unlabelled=0.25,
        weight=2.0,
    )
    assert (quiet.truth["toxicity"], quiet.weight) == (0, 0.5)
    assert (loud.truth["toxicity"], loud.weight) == (0, 2.0)


def test_what_a_source_is_harmless_for_beats_what_its_lines_say(read):
    (row,) = read({"text": "x", "label": 1, "split": "train"}, harmless=["prompt_injection", "toxicity"])
    # Which attack it would be stays open, which abuse it is does not.
    assert row.truth == {"prompt_injection": 0, "toxicity": 0, "toxicity/insult": 0, "toxicity/threat": 0}


def test_a_second_tone_takes_a_third(read):
    (row,) = read({"text": "x", "tone": "joy", "second": "anger", "split": "train"}, task="tone")
    assert row.truth == {"tone/joy": pytest.approx(2 / 3), "tone/anger": pytest.approx(1 / 3), "tone/neutral": 0}


def test_a_line_that_says_nothing_of_any_head_is_left_out(read):
    assert read({"text": "x", "tone": "wistful", "split": "train"}, task="tone") == []


def test_unmarked_words_of_an_unsupported_answer_are_unknown_and_of_a_supported_one_none(read):
    supported, marked, unmarked = read(
        {"context": "c", "question": "is it?", "response": "r", "label": 0, "split": "train"},
        {"context": "c", "response": "not r", "label": 1, "spans": [{"start": 0, "end": 3}], "split": "train"},
        {"context": "c", "response": "s", "label": 1, "split": "train"},
        task="grounded",
    )
    assert (supported.text, supported.response, supported.marks) == ("c", "r", ())
    assert marked.marks == (Mark(0, 3, "context_adherence"),)
    assert unmarked.marks is None


def test_some_training_rows_are_held_back_and_one_text_always_goes_the_same_way(read):
    lines = [{"text": f"text {number % 2000}", "label": 0, "split": "train"} for number in range(4000)]
    found = read(*lines)
    folds = [row.fold for row in found]
    assert 0.02 < folds.count("held") / 4000 < 0.06
    assert folds[:2000] == folds[2000:]


def test_of_ordinary_validation_rows_some_set_thresholds_and_others_are_reported_on(read):
    lines = [{"text": f"text {number}", "label": 0, "split": "valid"} for number in range(1000)]
    ordinary, others = read(*lines, ordinary=True), read(*lines)
    assert {row.fold for row in others} == {"valid"}
    assert 0.45 < sum(row.fold == "threshold" for row in ordinary) / 1000 < 0.55
    assert {row.fold for row in ordinary} == {"valid", "threshold"}


def test_details_that_are_skipped_are_left_out_and_of_others_so_many_are_kept_to_learn_from(read):
    lines = [
        {"text": f"{name} {split} {at}", "label": 0, "detail": name, "split": split}
        for name in ("one", "two", "three/a")
        for split in ("train", "valid")
        for at in range(5)
    ]
    found = read(*lines, skip=["three"], most_each=2)
    assert [(row.text.split()[0], row.fold == "valid") for row in found] == [
        *([("one", False)] * 2),
        *([("one", True)] * 5),
        *([("two", False)] * 2),
        *([("two", True)] * 5),
    ]


def test_a_file_with_another_content_is_refused(tmp_path):
    tiny.written(tmp_path / "a.jsonl.gz", [{"text": "x", "label": 0, "split": "train"}])
    source = SourceSpec(file="a.jsonl.gz", sha256="0" * 64, task="injection")
    with pytest.raises(SettingsError, match="give its sha256 in the spec to train on it"):
        rows("a", source, tiny.spec(), tmp_path)


def test_a_file_that_is_missing_is_told_with_where_to_get_it(tmp_path):
    source = SourceSpec(file="a.jsonl.gz", sha256="", task="injection")
    with pytest.raises(SettingsError, match=r"manifest\.json says where"):
        rows("a", source, tiny.spec(), tmp_path)
