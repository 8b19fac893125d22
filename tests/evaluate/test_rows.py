from __future__ import annotations

import gzip
import io
import json
import sys

import pytest

from guard.errors import SettingsError
from guard.evaluate import Row, read, writing


def written(tmp_path, content: bytes, name: str = "rows.jsonl") -> str:
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(tmp_path / name)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_what_is_written_is_read_again_as_it_was(tmp_path, name):
    fields = {"text": "é \ud800 \x00 \u2028", "id": 12345678901234567890, "deep": {"a": [1.5, None, True]}}
    target = str(tmp_path / name)
    with writing(target) as write:
        write(fields)
        write({"text": "b"})
    assert [row.fields for row in read(target)] == [fields, {"text": "b"}]
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")


def test_rows_keep_their_line_numbers_past_empty_lines_and_a_mark_at_the_beginning(tmp_path):
    source = written(tmp_path, b'\xef\xbb\xbf{"text": "a"}\n\n  \r\n{"text": "b"}')
    assert [row.place for row in read(source)] == [f"{source}:1", f"{source}:4"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nope", "not JSON"),
        (b'"a text"', "not str"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_line_that_is_no_row_is_named_with_its_number(tmp_path, line, why):
    source = written(tmp_path, b'{"text": "a"}\n' + line + b"\n")
    rows = read(source)
    next(rows)
    with pytest.raises(SettingsError, match=rf"rows\.jsonl:2: .*{why}"):
        next(rows)


def test_a_file_that_is_missing_or_cut_off_is_an_error_and_not_an_end(tmp_path):
    with pytest.raises(SettingsError, match=r"missing\.jsonl cannot be read"):
        list(read(str(tmp_path / "missing.jsonl")))
    whole = gzip.compress(b'{"text": "a"}\n' * 1000)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SettingsError, match=r"cut\.jsonl\.gz cannot be read"):
        list(read(str(tmp_path / "cut.jsonl.gz")))


def test_a_dash_is_standard_input_and_output(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n')))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    with writing("-") as write:
        for row in read("-"):
            write(row.fields)
    assert json.loads(sys.stdout.buffer.getvalue()) == {"text": "a"}


def test_how_far_it_is_read_is_told_in_bytes_of_the_file(tmp_path):
    source, places = written(tmp_path, b'{"text": "a"}\n' * 1000, "rows.jsonl.gz"), []
    list(read(source, places.append))
    assert places[-1] == (tmp_path / "rows.jsonl.gz").stat().st_size


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path):
    with pytest.raises(SettingsError, match="cannot be written"), writing(str(tmp_path / "no" / "out.jsonl")):
        pass


def test_a_path_leads_into_objects_unless_a_field_has_that_very_name():
    row = Row("x:1", {"labels": {"toxic": 1}, "a.b": 2, "flat": 3})
    assert [row.at(path) for path in ("labels.toxic", "a.b", "flat", "labels.none", "flat.x", "nothing")] == [
        *(1, 2, 3, None, None, None)
    ]


def test_scores_that_are_no_object_are_refused():
    with pytest.raises(SettingsError, match="x:1: 'scores'"):
        _ = Row("x:1", {"scores": [1]}).scores
