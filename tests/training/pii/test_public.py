from __future__ import annotations

import gzip
import json

import pytest

from guard.errors import SettingsError
from guard.training.pii import Row, public
from guard.training.pii.public import SETS


@pytest.fixture
def read(tmp_path):
    """The rows of one set, made of a text and the words marked in it; the other sets are empty."""

    def read(name: str, text: str, **marked: str) -> Row:
        spans = [
            {"start": text.index(words), "end": text.index(words) + len(words), "label": label}
            for label, words in marked.items()
        ]
        (tmp_path / "pii").mkdir(exist_ok=True)
        for each in SETS:
            row = json.dumps({"text": text, "spans": spans, "split": "valid"})
            content = row if each.name == name else ""
            (tmp_path / "pii" / f"{each.name}.jsonl.gz").write_bytes(gzip.compress(content.encode()))
        (row,) = public(tmp_path)
        return row

    return read


def marked(row: Row) -> list[tuple[str, str]]:
    return [(row.text[span.start : span.end], span.label) for span in row.spans]


def test_persons_places_and_organisations_are_kept_and_known(read):
    row = read(
        "wikigold", "Ann of Acme left Leeds in May", PERSON="Ann", ORGANIZATION="Acme", LOCATION="Leeds", MISC="May"
    )
    assert marked(row) == [("Ann", "PERSON"), ("Acme", "ORGANIZATION"), ("Leeds", "LOCATION")]
    assert row.known == {"PERSON", "LOCATION", "ORGANIZATION"}
    assert (row.source, row.split) == ("wikigold", "valid")


def test_a_group_is_an_organisation_where_the_set_tells_the_two_apart(read):
    assert marked(read("wnut17", "The Lions won", GROUP="Lions")) == [("Lions", "ORGANIZATION")]


@pytest.mark.parametrize("name", ["btc", "wnut17"])
def test_handles_in_tweets_are_user_names_whatever_the_set_calls_them(read, name):
    row = read(name, "Me and @BethAnne17 saw Seth", LOCATION="@", ORGANIZATION="BethAnne17", PERSON="Seth")
    assert marked(row) == [("BethAnne17", "USERNAME"), ("Seth", "PERSON")]
    assert "USERNAME" in row.known


def test_an_at_sign_elsewhere_makes_no_user_name(read):
    row = read("uner_ewt", "mail ken@enron or meet @noon", PERSON="ken")
    assert marked(row) == [("ken", "PERSON")]
    assert "USERNAME" not in row.known


def test_a_missing_file_is_refused_with_where_it_comes_from(tmp_path):
    with pytest.raises(SettingsError, match=r"manifest\.json"):
        list(public(tmp_path))
