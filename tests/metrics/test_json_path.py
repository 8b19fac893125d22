"""Paths into JSON: what they find, where that is written, and that hostile documents cost little."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics.json_path import DEEPEST, LONGEST, MOST, find, parsed, place, query

KEYS = st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.lists(VALUES, max_size=3) | st.dictionaries(KEYS, VALUES, max_size=3)
SHOP = {"items": [{"text": "a", "price": 1}, {"text": "b"}], "a name": {"text": "c"}, "2": "d"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.items[0].text", ["a"]),
        ("$.items[*].text", ["a", "b"]),
        ("$.items[-1].text", ["b"]),
        ("$.items[7].text", []),
        ("$['a name'].text", ["c"]),
        ('$["2"]', ["d"]),
        ("$[2]", []),
        ("$.items[1:].text", ["b"]),
        ("$['a name', 'nothing'].text", ["c"]),
        (r"$['\u0061 name'].text", ["c"]),
        ("$..text", ["a", "b", "c"]),
        ("$..[1].text", ["b"]),
        ("$.items.*.price", [1]),
        ("$.nothing.text", []),
        ("$.items.text", []),
    ],
)
def test_a_path_finds_what_jsonpath_says(path, found):
    assert [node.value for node in find(SHOP, path)] == found


@pytest.mark.parametrize(
    "path",
    [
        "$",
        "query",
        "$.",
        "$query",
        "$.a-b",
        "$[?@.a]",
        "$.a[",
        "$..a..b",
        "$..",
        "$.a[?match(@.b, '(a+)+')]",
        "$." + "a" * LONGEST,
    ],
)
def test_what_is_no_path_that_is_understood_is_refused(path):
    with pytest.raises(ValueError, match=r"should be a path as|may hold"):
        query(path)


@given(DOCUMENTS, st.sampled_from([None, 1]), st.booleans())
def test_where_a_value_is_written_is_found_however_the_text_is_laid_out(document, indent, ascii_only):
    text = f" {json.dumps(document, indent=indent, ensure_ascii=ascii_only)}\n"
    known: dict = {}
    for node in find(parsed(text), "$..*"):
        start, end = place(text, node.location, known)
        assert json.loads(text[start:end]) == node.value


@pytest.mark.parametrize(
    "text", ["", "hello", "7", '"{}"', '{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', '{"a": 1} x', "[" * 100_000]
)
def test_a_text_that_readers_may_disagree_on_is_not_parsed(text):
    with pytest.raises((ValueError, RecursionError)):
        parsed(text)


def test_a_path_that_finds_too_much_stops_there():
    with pytest.raises(ValueError, match="more than"):
        find([0] * (MOST + 1), "$[*]")


def test_what_stands_too_deep_is_not_looked_for():
    document: object = "end"
    for _ in range(DEEPEST + 1):
        document = {"a": document}
    with pytest.raises(ValueError, match="deep"):
        find(document, "$..*")


def test_a_document_of_any_depth_does_not_exhaust_the_stack():
    document: object = "end"
    for _ in range(50_000):
        document = {"a": document}
    with pytest.raises(ValueError, match="deep"):
        find(document, "$..b")
