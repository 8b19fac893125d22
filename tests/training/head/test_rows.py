from __future__ import annotations

import gzip

import pytest

from guard.errors import SettingsError
from guard.training.head.rows import field, read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\n"one, two",1\n"three\nlines",0\n'),
        ("a.csv", '\ufefftext;label\r\none, two;1\r\n"three\nlines";0\r\n'),
        ("a.tsv", 'text\tlabel\none, two\t1\n"three\nlines"\t0\n'),
        ("a.jsonl", '{"text": "one, two", "label": "1"}\n\n{"text": "three\\nlines", "label": "0"}\n'),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_rows_are_the_same_whatever_the_file(tmp_path, name, content, packed):
    file = tmp_path / (name + ".gz" * packed)
    file.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert [dict(row.fields) for row in read(file)] == [
        {"text": "one, two", "label": "1"},
        {"text": "three\nlines", "label": "0"},
    ]


def test_a_text_of_a_megabyte_is_read_whole(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(f"text,label\n{'x' * 1_000_000},1\n")
    assert [len(row.fields["text"]) for row in read(file)] == [1_000_000]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"text,label\nfine,1\none, two,1\n", "a.csv:3: 3 fields under 2 names; put quotes around texts"),
        ("a.csv", b"text,label\nna\xefve,1\n", "a.csv: not UTF-8"),
        ("a.csv.gz", b"text,label\n", "a.csv.gz cannot be read"),
        ("a.xlsx", b"", "Name it .csv, .tsv or .jsonl"),
        ("gone.csv", None, "gone.csv cannot be read: No such file"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_the_fix(tmp_path, name, content, problem):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=problem):
        list(read(tmp_path / name))


def test_an_empty_field_and_one_that_a_short_line_lacks_are_none(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("text,label\none\ntwo, \n")
    assert [field(row, "label") for row in read(file)] == [None, None]
