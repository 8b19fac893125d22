"""Rows of all sources together: each text in one fold, each source with its share."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from guard.errors import SettingsError
from guard.training.data import read
from guard.training.spec import read_spec
from guard.training.stream import Deck
from tests.training import tiny


@pytest.fixture
def made(tmp_path):
    """Everything read, from lines that may be other ones."""

    def found(without=frozenset(), changes=None, **lines):
        file, folder = tiny.prepare(tmp_path, **(changes or {}))
        sources = dict(read_spec(file).sources)
        for name, each in lines.items():
            sha256 = tiny.written(folder / f"{name}.jsonl.gz", each)
            sources[name] = sources[name].model_copy(update={"sha256": sha256})
        spec = read_spec(file).model_copy(update={"sources": sources})
        return read(spec, folder, without, lambda: None)

    return found


def line(text, split, **more):
    return {"text": text, "split": split, **more}


def test_a_text_never_stands_in_two_folds_whichever_source_has_it(made):
    same = tiny.lines("plain")[:40]
    other = [{**each, "label": 0, "split": "valid"} for each in same]
    data = made(attacks=[*tiny.lines("attacks"), *other])
    folds = defaultdict(set)
    for found in data.by_source.values():
        for row in found:
            folds[row.text].add(row.fold)
    assert {text for text, of in folds.items() if len(of) > 1} == set()
    assert {folds[each["text"]] == {"valid"} for each in same} == {True}


def test_a_context_that_is_judged_by_is_not_learned_from_with_another_answer(made):
    lines = tiny.lines("answers")
    again = [{**each, "response": "It did not.", "split": "train"} for each in lines if each["split"] == "valid"]
    data = made(answers=[*lines, *again])
    learned = {row.text for row in data.by_source["answers"] if row.fold == "train"}
    judged = {row.text for row in data.by_source["answers"] if row.fold == "valid"}
    assert judged
    assert learned
    assert learned & judged == set()


def test_a_twin_goes_with_what_is_known_already(made):
    lines = [line(f"{name} {at}", "train", label=0, pair=f"p{at}") for at in range(20) for name in ("this", "that")]
    data = made(attacks=[*tiny.lines("attacks"), *lines], plain=[*tiny.lines("plain"), line("this 7", "valid")])
    units = Counter(row.unit for row in data.by_source["attacks"] if row.text.startswith(("this", "that")))
    assert "attacks p7" not in units
    assert set(units.values()) == {2}


def test_a_source_that_is_left_out_only_validates(made):
    data = made(without=frozenset({"abuse"}))
    assert {row.fold for row in data.by_source["abuse"]} == {"valid"}
    assert "abuse" not in data.drawers
    assert {row.fold for row in data.by_source["moods"]} > {"valid"}


def test_a_share_is_of_rows_so_that_pairs_are_drawn_half_as_often(made):
    lines = [line(f"{name} {at}", "train", label=0, pair=f"p{at}") for at in range(20) for name in ("this", "that")]
    data = made(attacks=[*lines, *tiny.lines("attacks")])
    sizes = [len(unit) for unit in data.drawers["attacks"][0]._units]
    assert set(sizes) == {1, 2}
    assert data.drawers["attacks"][1] * sum(sizes) / len(sizes) == pytest.approx(2)


def test_what_only_validates_is_never_drawn(made):
    changes = {"sources": {"moods": {**tiny.TOLD["sources"]["moods"], "share": 0}}}
    data = made(changes=changes)
    assert "moods" not in data.drawers
    assert data.by_source["moods"]


def test_what_is_drawn_is_of_the_training_fold(made):
    data = made()
    chance = random.Random(1)
    drawn = [row for drawer, _ in data.drawers.values() for at in range(300) for row in drawer.draw(at, chance)]
    assert {row.fold for row in drawn} == {"train"}
    assert {row.source for row in drawn} == {*tiny.TOLD["sources"], "composed", "wikigold"}
    assert isinstance(data.drawers["plain"][0], Deck)


def test_personal_data_that_is_nowhere_is_told_by_name(made):
    with pytest.raises(SettingsError, match="no personal data of the name 'wikisilver'"):
        made(changes={"personal": {"wikisilver": 1}})
