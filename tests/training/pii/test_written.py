from __future__ import annotations

import pytest

from guard.errors import SettingsError
from guard.metrics.pii.head import head_labels
from guard.training.pii import filled, names, written

ROWS = 4_000


@pytest.fixture(scope="module")
def rows():
    return list(filled(ROWS, 1))


def test_as_many_rows_come_as_were_asked_for_and_no_text_twice(rows):
    assert len(rows) == len({row.text for row in rows}) == ROWS


def test_every_template_is_filled_and_every_label_of_the_head_occurs(rows):
    assert len({row.group for row in rows}) == len(written._lines("pii_templates"))
    assert {span.label for row in rows for span in row.spans} == set(head_labels())


@pytest.mark.parametrize("given", ["rows", "names"])
def test_spans_are_in_order_apart_and_hold_no_space_at_their_ends(given, rows):
    for row in rows if given == "rows" else names():
        end = 0
        for span in row.spans:
            words = row.text[span.start : span.end]
            assert span.start >= end
            assert words
            assert words == words.strip()
            end = span.end


def test_the_templates_whose_number_ends_in_0_are_for_validation_and_no_others(rows):
    assert {row.group for row in rows if row.split == "valid"} == {row.group for row in rows if row.group[-1] == "0"}
    assert 0.05 < sum(row.split == "valid" for row in rows) / ROWS < 0.15


def test_the_same_seed_gives_the_same_rows_and_another_gives_others(rows):
    assert list(filled(300, 1)) == rows[:300]
    assert {row.text for row in filled(300, 2)}.isdisjoint(row.text for row in rows[:300] if row.spans)


def test_all_labels_are_known_but_where_the_authors_left_it_open(rows):
    missing = {frozenset(head_labels()) - row.known for row in rows}
    assert missing == {frozenset(), frozenset({"PERSON"})}


def test_more_rows_than_the_templates_give_are_refused(monkeypatch):
    line = {"id": "t-1", "template": "nothing here", "register": "legal"}
    monkeypatch.setattr(written, "_lines", lambda name: [line])
    with pytest.raises(SettingsError, match="no more rows"):
        list(filled(50, 1))


def test_what_the_authors_of_the_names_did_not_mark_is_not_known():
    found = list(names())
    assert {span.label for row in found for span in row.spans} <= found[0].known
    assert "EMAIL" not in found[0].known
    assert {row.split for row in found} == {"train", "valid"}
