from __future__ import annotations

import json

import pytest

from guard.errors import SettingsError
from guard.training.head.gather import Wanted, gather, together


def written(folder, rows):
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def row(number, **more):
    return {"text": f"text number {number}", "label": number % 2, **more}


def test_rows_of_one_text_or_one_group_are_one_unit():
    units = together([b"a", b"b", b"a", b"c", b"d"], ["x", "y", "z", "z", "w"])
    assert units[0] == units[2] == units[3]
    assert len(set(units.tolist())) == 3
    assert len(set(together([b"a", b"b", b"a"], []).tolist())) == 2


def test_texts_that_differ_in_case_and_spaces_only_are_one(tmp_path):
    rows = [*map(row, range(20)), {"text": " TEXT  number 3\n", "label": 1}, {"text": "Text number 4", "label": 1}]
    found = gather(Wanted(written(tmp_path, rows)))
    assert found.units[20] == found.units[3]
    assert (found.repeated, found.contradicted) == (2, 1)


def test_rows_without_a_label_are_left_out_and_counted(tmp_path):
    rows = [*map(row, range(20)), row(20, label=None), row(21, label=" ")]
    found = gather(Wanted(written(tmp_path, rows)))
    assert (len(found.units), found.left_out) == (20, 2)


def test_labels_without_a_text_are_refused_all_at_once(tmp_path):
    rows = [*map(row, range(20)), row(20, text=""), row(21, text=None), row(22, text=" ")]
    with pytest.raises(SettingsError, match=r"rows.jsonl:21 and 2 more rows have a label and no text; leave them out"):
        gather(Wanted(written(tmp_path, rows)))


def test_a_text_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"rows.jsonl:1: 'text' is a text, not int; name the text with --text"):
        gather(Wanted(written(tmp_path, [{"text": 3, "label": 1}])))


def test_fields_may_have_other_names_and_stand_deeper(tmp_path):
    rows = [{"turn": {"said": f"text {number}"}, "spam": number % 2} for number in range(20)]
    found = gather(Wanted(written(tmp_path, rows), text="turn.said", label="spam"))
    assert found.truth.table[:, 0].tolist() == [bool(number % 2) for number in range(20)]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"text": "txet"}, r"no row has a 'txet'; did you mean 'text'\? \(--text\)"),
        ({"label": "lable"}, r"no row has a 'lable'; did you mean 'label'\? \(--label\)"),
        ({"group": "user"}, r"no row has a 'user'; known: group, label, text \(--group\)"),
        ({"label": "group"}, r"no row has a 'group'; write it into the rows"),
    ],
)
def test_a_field_that_no_row_has_is_told_with_the_nearest(tmp_path, wanted, problem):
    with pytest.raises(SettingsError, match=problem):
        gather(Wanted(written(tmp_path, [row(number, group=None) for number in range(20)]), **wanted))


def test_a_file_without_rows_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="has no rows; write a text and a label in each"):
        gather(Wanted(written(tmp_path, [])))


def test_rows_without_a_group_stand_alone(tmp_path):
    rows = [row(number, group="a" if number < 4 else None) for number in range(20)]
    found = gather(Wanted(written(tmp_path, rows), group="group"))
    assert len(set(found.units.tolist())) == 17
